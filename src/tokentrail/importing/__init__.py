"""Usages that something else has recorded: read from there, given a claimed key and their own time, and sent like any other record.

| file | holds |
|---|---|
| `record.py` | what a source makes of one of its rows: a `Record`, or the reason why there is none |
| `values.py` | numbers, times and texts as exports write them |
| `files.py` | rows of a JSON, JSONL or CSV file, one by one |
| `postgres.py` | rows of a table of one's own |
| `mapping.py` | which column is which field |
| `litellm.py`, `langfuse.py`, `openllmetry.py` | the rows of these, as records |
| `known.py` | which records the ledger has already |
| `run.py` | the way of all records: counted, compared with the ledger, sent through the journal |

No text of a prompt or an answer is read.
"""

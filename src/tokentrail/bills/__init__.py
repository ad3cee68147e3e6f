"""What providers bill, read from their own reports and compared with the ledger.

| file | holds |
|---|---|
| `line.py` | one line of a report, the same form for every report |
| `registry.py` | all reports by name; `read_file` and `read_live` |
| `reader.py` | what there is to say of a report: where it comes from, what it states, how a live read is authorised |
| `report.py` | the lines of one reading, until when they are complete, and what was passed over |
| `access.py` | a provider's API over HTTPS, with an administrator's key |
| `pages.py` | an API's answers, page by page, live or saved |
| `tables.py` | rows of CSV and Parquet files, in bounded memory |
| `values.py` | counts, amounts and times as reports write them, exactly |
| `mapping.py` | which column of a table is which field |
| `meters.py` | which words of a meter's name say which tokens it counts |
| `openai.py`, `anthropic.py`, `openrouter.py`, `focus.py`, `table.py` | the reports themselves |

Numbers are whole numbers and decimals, never floating-point numbers.
"""

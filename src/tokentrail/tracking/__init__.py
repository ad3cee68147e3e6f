"""The functions that services call: `track_tokens` (attributes usages) and `track_token_usage` (records a usage that no hook records).

| file | holds |
|---|---|
| `decorator.py` | `track_tokens`: decorator and context manager |
| `values.py` | the values of an attribution: texts, callables, parameters (`argument`) |
| `wrapping.py` | sets the attribution around each step of functions, coroutines, generators |
| `idempotent.py` | `idempotent`: a repeated request gets the answer of the first one |
| `answers.py` | which answers several requests may have, and the copies of web responses |
| `manual.py` | `track_token_usage`: a usage recorded by hand |
| `metadata.py` | metadata as bounded JSON |
"""

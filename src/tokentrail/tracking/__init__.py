"""What services call: `track_tokens` (who spends the tokens, and what for) and `track_token_usage` (a usage that no hook sees).

| file | holds |
|---|---|
| `decorator.py` | `track_tokens`: decorator and context manager |
| `wrapping.py` | the attribution, set around each step of functions, coroutines, generators |
| `manual.py` | `track_token_usage`: a usage recorded by hand |
| `metadata.py` | metadata as bounded JSON |
"""

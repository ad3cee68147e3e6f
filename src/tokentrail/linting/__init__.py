"""`tokentrail lint`: what counts tokens past the library, found in the syntax trees of Python files. No code is run.

| file | holds |
|---|---|
| `rules.py` | the rules, with their numbers and sentences |
| `words.py` | names of SDKs, answers, counts and texts |
| `source.py` | lines, and columns in characters |
| `findings.py` | the walk through one file's tree |
| `files.py` | which files, the settings of `pyproject.toml`, and comments that suppress |
"""

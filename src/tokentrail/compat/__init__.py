"""For teams that come from a hand-made tracking module or a table of their own.

| file | holds |
|---|---|
| `tracking.py` | the names of such a module |
| `arguments.py` | the arguments of one call, in whatever form |
| `own_names.py` | other words for the fields of a usage; the importers read them too |
| `own_values.py` | times, and what a total tells of its halves; the importers read them too |
"""

"""Queries on the ledger; the ClickHouse client is in `tokentrail.clickhouse`.

`queries/*.sql` hold every query, each with a header that states the callers, the parameters and the meaning of the columns; only `query.py` reads
these files. `report.py` sums tokens by `dimensions.py`, `breakdown.py` adds shares, changes and the rest; `verify.py` proves that nothing is
missing, with `writers.py` and `ranges.py`; `quarantine.py` lists and replays records that were not understood; `pages.py` generates the pages of
columns and of queries.
"""

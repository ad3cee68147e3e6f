"""The room that asks the ledger; how ClickHouse is spoken to is `tokentrail.clickhouse`.

`queries/*.sql` hold every question, each with a header that says who asks, with which parameters, and what the columns mean; `query.py` reads them,
and nothing else does. `report.py` adds up tokens; `verify.py` proves that nothing is missing, with `writers.py` and `ranges.py`; `quarantine.py`
shows and replays records that were not understood; `pages.py` writes the pages of columns and of queries.
"""

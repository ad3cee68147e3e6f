"""The whole ledger as a folder of Parquet files, and back: for another ClickHouse, for years in a bucket, for other tools.

`layout` which tables, and what their columns become · `manifest` the list of the files, with checksums, rows and sums · `exporting` writes a folder,
and goes on where it was interrupted · `importing` reads one, as often as one likes: each row counts once, by its identity.
"""

"""The ledger in ClickHouse: its tables, the queries that read it, and the proof that nothing is missing. Read by the CLI, never by the write path."""

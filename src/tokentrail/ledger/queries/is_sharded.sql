-- title: Whether the ledger is spread over shards
-- asked by: tokentrail verify
-- unit: one row
-- column: sharded | Whether the ledger's table is a Distributed one
SELECT toBool(count() > 0) AS sharded
FROM system.tables
WHERE database = currentDatabase() AND name = 'usage_ledger' AND engine = 'Distributed'

-- title: The columns of every table that stores rows
-- asked by: tokentrail erase, tokentrail retention, tokentrail export ledger
-- unit: one row a column
-- column: table | The table
-- column: name | The column
-- column: type | Its type
SELECT table, name, type
FROM system.columns
WHERE database = currentDatabase()
    AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND (engine LIKE '%MergeTree' OR engine = 'Distributed'))
ORDER BY table, position

-- title: Whether the database is not wholly restored
-- asked by: tokentrail verify
-- unit: one row where it is not
-- column: place | Where the backup lies
SELECT comment AS place
FROM system.tables
WHERE database = currentDatabase() AND name = 'restore_unfinished'
ORDER BY place

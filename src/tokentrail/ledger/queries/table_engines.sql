-- title: The engines of the tables, with their TTLs
-- asked by: tokentrail retention
-- unit: tables
-- column: table | The table
-- column: engine | Its engine, as it was created
SELECT name AS table, engine_full AS engine
FROM system.tables
WHERE database = currentDatabase()
ORDER BY table

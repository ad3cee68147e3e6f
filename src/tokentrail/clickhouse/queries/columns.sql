-- The columns of tables, with what their comments say.
SELECT c.table AS table, t.comment AS table_comment, c.name AS name, c.type AS type, c.comment AS comment
FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE c.database = currentDatabase() AND has({tables:Array(String)}, c.table)
ORDER BY c.table, c.position

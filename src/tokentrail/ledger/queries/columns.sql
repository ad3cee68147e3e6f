-- title: The columns of tables, with their comments
-- asked by: the page docs/data-dictionary.md
-- parameter: tables Array(String) | The tables and views to describe
-- unit: one row a column
-- column: table | The table or view
-- column: table_comment | The meaning of the table
-- column: name | The column
-- column: type | Its type
-- column: comment | The meaning of the column
SELECT c.table AS table, t.comment AS table_comment, c.name AS name, c.type AS type, c.comment AS comment
FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE c.database = currentDatabase() AND has({tables:Array(String)}, c.table)
ORDER BY c.table, c.position

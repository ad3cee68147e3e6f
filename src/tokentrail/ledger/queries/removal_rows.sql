-- title: How many rows of a table a removal of tenants takes
-- asked by: tokentrail erase, tokentrail retention
-- slot: table | The table
-- slot: stated | An array of the tenants that a row states
-- slot: moment | The time of a row
-- unit: rows
-- column: rows | Rows
SELECT count() AS rows
FROM {{table}}
WHERE {{queries.removed_rows}}

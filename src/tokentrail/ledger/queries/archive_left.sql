-- title: Tables that an import has left which was killed a day ago or earlier
-- asked by: tokentrail import ledger
-- parameter: begin String | How the names of such tables begin
-- unit: tables
-- column: table | The table
SELECT name AS table
FROM system.tables
WHERE database = currentDatabase() AND startsWith(name, {begin:String}) AND metadata_modification_time < now() - INTERVAL 1 DAY
ORDER BY table

-- title: The tables that a backup holds
-- asked by: tokentrail backup, tokentrail restore
-- unit: tables
-- column: table | The table
-- column: engine | Its engine
-- column: keys | What it is sorted by; empty for nothing
-- column: expires | Whether rows go by themselves, by a TTL
-- column: bytes | On disk
SELECT name AS table, engine, sorting_key AS keys, engine_full LIKE '% TTL %' AS expires, toUInt64(ifNull(total_bytes, 0)) AS bytes
FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
ORDER BY table

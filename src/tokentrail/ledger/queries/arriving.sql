-- title: Records that arrived within the last minute
-- asked by: tokentrail verify, to decide whether to query again
-- unit: records
-- column: records | How many
--
-- The landing table is the first table that a record reaches.
SELECT count() AS records
FROM usage_landing
WHERE arrived_at > now64(3, 'UTC') - toIntervalMinute(1)

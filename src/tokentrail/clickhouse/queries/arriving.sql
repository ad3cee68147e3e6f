-- How many records arrived within the last minute. The landing table is the first that a record reaches.
SELECT count() AS records
FROM usage_landing
WHERE arrived_at > now64(3, 'UTC') - toIntervalMinute(1)

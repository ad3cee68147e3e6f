-- title: The days of which a removal takes usages
-- asked by: tokentrail retention
-- unit: days
-- column: day | The day, UTC
SELECT toDate(key_ts) AS day
FROM usage_ledger
WHERE key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AND {{queries.removed_usages}}
GROUP BY day
ORDER BY day

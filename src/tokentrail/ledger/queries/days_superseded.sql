-- title: How many sums of former builds are stored
-- asked by: tokentrail rollup
-- parameter: before UInt64 | Only builds with lower numbers: a number begins with the milliseconds of its time
-- unit: rows
-- column: rows | Sums that no question reads
SELECT count() AS rows
FROM usage_days
WHERE build < {before:UInt64} AND (day, build) NOT IN (SELECT day, max((built_at, build)).2 FROM usage_day_builds GROUP BY day)

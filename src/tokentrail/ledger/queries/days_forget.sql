-- title: Deletes the sums of former builds
-- asked by: tokentrail rollup
-- parameter: before UInt64 | Only builds with lower numbers: a number begins with the milliseconds of its time
-- unit: no answer
-- columns: none
ALTER TABLE usage_days DELETE
WHERE build < {before:UInt64} AND (day, build) NOT IN (SELECT day, max((built_at, build)).2 FROM usage_day_builds GROUP BY day)

-- title: The days whose sums are to be built
-- asked by: tokentrail rollup
-- parameter: every Bool = 0 | All days, also those whose sums say what the ledger says
-- unit: days
-- column: day | The day, UTC
-- column: is_open | Whether something has arrived for the day within the last hour: its sums would not count
--
-- Days for which something has arrived since the last check, those that have changed, and those that other definitions or price lists were used for.
SELECT day, max(is_new) AND max(arrived) >= now64(3, 'UTC') - toIntervalHour(1) AS is_open
FROM
(
    SELECT toDate(key_ts) AS day, max(arrived_at) AS arrived, true AS is_new
    FROM usage_ledger
    WHERE key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        AND ({every:Bool} OR arrived_at >= (SELECT max(built_at) FROM usage_day_builds WHERE day = toDate(0)) - toIntervalHour(1))
        AND key_kind != 'object'
    GROUP BY day
    UNION ALL
    SELECT day, toDateTime64(0, 3, 'UTC') AS arrived, false AS is_new
    FROM usage_day_builds
    WHERE day > toDate(0) AND toYYYYMM(day) IN (SELECT toYYYYMM(key_ts) FROM usage_ledger GROUP BY toYYYYMM(key_ts))
    GROUP BY day
)
WHERE {every:Bool} OR day NOT IN (SELECT day FROM usage_fresh_days WHERE is_priced)
GROUP BY day
ORDER BY day

-- title: The days that have changed since their sums were built
-- asked by: tokentrail rollup
-- unit: days
-- column: day | The day, UTC
--
-- What arrived in the hour before a build counts as later (see the view usage_fresh_days). A day whose month the ledger does not have any more, since a
-- partition was dropped, has changed too.
SELECT b.day
FROM (SELECT day, max((built_at, build)) AS latest FROM usage_day_builds GROUP BY day) AS b
LEFT ANY JOIN
(
    SELECT toDate(key_ts) AS day, max(arrived_at) AS arrived
    FROM usage_ledger
    WHERE arrived_at >= (SELECT max(built_at) FROM usage_day_builds WHERE day = toDate(0)) - toIntervalHour(1)
        AND key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
    GROUP BY day
) AS later ON b.day = later.day
WHERE b.latest.2 != 0
    AND (later.arrived >= b.latest.1 - toIntervalHour(1)
        OR toYYYYMM(b.day) NOT IN (SELECT toYYYYMM(key_ts) FROM usage_ledger GROUP BY toYYYYMM(key_ts)))
ORDER BY b.day

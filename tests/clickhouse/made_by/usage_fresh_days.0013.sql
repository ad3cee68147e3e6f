-- The days whose stored sums say what the ledger says: built by the present definitions, and nothing has arrived for them since. An insert is seen by a
-- SELECT only some time after the moment that its rows state as their arrival, so whatever has arrived in the hour before a build counts as later: an
-- insert that takes longer than an hour is the one that this view would miss (`tokentrail verify` compares the sums themselves).
CREATE OR REPLACE VIEW usage_fresh_days
(
    day       Date COMMENT 'A day, UTC',
    build     UInt64 COMMENT 'Its build in usage_days',
    built_at  DateTime64(3, 'UTC') COMMENT 'A moment before the build read the ledger',
    is_priced Bool COMMENT 'Whether the costs are those of the price lists that are loaded now'
)
AS
SELECT built.day AS day, built.latest.2 AS build, built.latest.1 AS built_at, built.latest.4 = loaded.prices AS is_priced
FROM (SELECT day, max((built_at, build, definition, prices)) AS latest FROM usage_day_builds GROUP BY day) AS built
CROSS JOIN price_digest AS loaded
LEFT ANY JOIN
(
    SELECT toDate(key_ts) AS day, max(arrived_at) AS arrived
    FROM usage_ledger
    WHERE arrived_at >= (SELECT max(built_at) FROM usage_day_builds WHERE day = toDate(0)) - toIntervalHour(1)
        AND key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
    GROUP BY day
) AS later ON built.day = later.day
WHERE built.latest.2 != 0
    AND built.latest.3 = 11940453828066352740
    AND later.arrived < built.latest.1 - toIntervalHour(1)
COMMENT 'The days whose stored sums say what the ledger says';

-- title: Which services call models, and which have gone silent
-- asked by: SREs
-- unit: calls
-- column: service_name | The service
-- column: environment | Its deployment environment
-- column: calls | Calls
-- column: first | The first call, UTC
-- column: latest | The latest call, UTC
-- column: silent_seconds | Seconds since then
-- column: usual_gap_seconds | Of the gaps between two calls, 99 of 100 are at most so long; NULL: one call
-- column: arrival_seconds | Half of the calls were in ClickHouse so many seconds after they began, at most
SELECT
    service_name,
    environment,
    sum(calls) AS calls,
    min(ts) AS first,
    max(ts) AS latest,
    dateDiff('second', latest, now64(9, 'UTC')) AS silent_seconds,
    if(count() = 1, NULL, round(quantileIf(0.99)(gap, is_later), 3)) AS usual_gap_seconds,
    round(quantile(0.5)(dateDiff('millisecond', ts, toDateTime64(arrived_at, 9, 'UTC')) / 1000), 3) AS arrival_seconds
FROM
(
    SELECT
        u.service_name AS service_name,
        u.environment AS environment,
        u.calls AS calls,
        u.ts AS ts,
        u.arrived_at AS arrived_at,
        row_number() OVER one > 1 AS is_later,
        dateDiff('millisecond', lagInFrame(u.ts, 1) OVER one, u.ts) / 1000 AS gap
    FROM ({{queries.selected}}) AS u
    WINDOW one AS (PARTITION BY u.service_name, u.environment ORDER BY u.ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY service_name, environment
ORDER BY silent_seconds DESC, service_name, environment

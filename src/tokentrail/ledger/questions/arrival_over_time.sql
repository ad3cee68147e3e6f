-- title: How long usages are on their way: through journal, Collector and queue into ClickHouse
-- asked by: SREs
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- unit: seconds
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
-- column: calls | Calls
-- column: arrival_p50_seconds | Half of the usages were in ClickHouse so many seconds after their call began, at most
-- column: arrival_p95_seconds | 95 of 100 were
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    sum(u.calls) AS calls,
    round(quantile(0.5)(dateDiff('millisecond', u.ts, toDateTime64(u.arrived_at, 9, 'UTC')) / 1000), 3) AS arrival_p50_seconds,
    round(quantile(0.95)(dateDiff('millisecond', u.ts, toDateTime64(u.arrived_at, 9, 'UTC')) / 1000), 3) AS arrival_p95_seconds
FROM ({{queries.selected}}) AS u
GROUP BY time, name
ORDER BY time, name

-- title: Tokens and calls by any dimensions of the view usage
-- asked by: tokentrail report, the demo
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded: neighbouring ranges never count a row twice
-- parameter: tenants Array(String) = | Only these tenants; empty for all
-- slot: dimensions | Columns to group by, each with a comma after it
-- slot: relation | usage, or usage_cost
-- slot: money | Columns about costs, each after a comma, or nothing
-- slot: grouping | GROUP BY and the same columns, or nothing
-- slot: order | ORDER BY and its columns, or nothing
-- unit: tokens and calls
{{each main_counts: -- column: $name | $comment}}
-- column: calls | Calls
-- column: reported_calls | Calls whose counts the provider reported
-- column: estimated_calls | Calls whose weaker count is an estimate
-- column: unknown_calls | Calls of which at least one count is not known
-- column: partial_calls | Calls that were cut short: abandoned streams
-- column: error_calls | Calls that ended with an error
--
-- Sums of NULL alone stay NULL: not stated is not 0. The dimensions' columns come before those of the header.
SELECT
    {{dimensions}}
    {{each main_counts: sum(u.$name) AS $name,}}
    sum(u.calls) AS calls,
    sumIf(u.calls, u.source = 'reported') AS reported_calls,
    sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
    sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
    sumIf(u.calls, u.ended = 'partial') AS partial_calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls
    {{money}}
FROM
(
    SELECT *, toDate(ts) AS day, toStartOfHour(ts) AS hour, toStartOfMonth(ts) AS month
    FROM {{relation}}
) AS u
WHERE ts >= {from:DateTime64(9, 'UTC')}
    AND ts < {to:DateTime64(9, 'UTC')}
    AND (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant_id))
{{grouping}}
HAVING count() > 0
{{order}}

-- title: Tokens and calls by any dimensions of the view usage
-- asked by: tokentrail report, the demo
-- parameter: timezone String = UTC | The zone of hours, days, weeks and months, such as Europe/Madrid
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
    SELECT
        *,
        toStartOfHour(ts, {timezone:String}) AS hour,
        toDate(ts, {timezone:String}) AS day,
        toMonday(ts, {timezone:String}) AS week,
        toStartOfMonth(ts, {timezone:String}) AS month
    FROM {{relation}}
    {{queries.filters}}
) AS u
{{grouping}}
HAVING count() > 0
{{order}}

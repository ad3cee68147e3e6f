-- title: How calls end over time: failed, refused for their rate, cut short, sent again
-- asked by: SREs
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- unit: calls
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
-- column: calls | Calls
-- column: error_calls | Calls that ended with an error
-- column: error_share | The same as a share, from 0 to 1
-- column: rate_limited_calls | Calls that ended with HTTP status 429
-- column: abandoned_calls | Streams that were cut short or left
-- column: retried_calls | Calls for which the SDK has sent more than one request
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls,
    round(error_calls / nullIf(calls, 0), 4) AS error_share,
    sumIf(u.calls, u.ended = 'error' AND u.error_type = '429') AS rate_limited_calls,
    sumIf(u.calls, u.ended = 'partial') AS abandoned_calls,
    sumIf(u.calls, u.attempts > 1) AS retried_calls
FROM ({{queries.selected}}) AS u
GROUP BY time, name
ORDER BY time, name

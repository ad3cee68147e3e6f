-- title: Tokens and calls over time
-- asked by: analysts and SREs
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- unit: tokens and calls
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
{{each main_counts: -- column: $name | $comment}}
-- column: calls | Calls
-- column: error_calls | Calls that ended with an error
-- column: tokens | Input and output tokens that are known
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    {{each main_counts: sum(u.$name) AS $name,}}
    sum(u.calls) AS calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens
FROM ({{queries.selected}}) AS u
GROUP BY time, name
ORDER BY time, name

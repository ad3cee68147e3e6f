-- title: Who or what spends tokens
-- asked by: analysts
-- parameter: by String = model | The dimension; total for all in one row
-- choices: by | {{each dimensions: $name,}} total
-- unit: tokens and calls
-- column: name | The dimension's value; empty where nobody stated one
{{each main_counts: -- column: $name | $comment}}
-- column: calls | Calls
-- column: share | Of all input and output tokens of the answer, from 0 to 1
-- column: estimated_calls | Calls whose weaker count is an estimate
-- column: unknown_calls | Calls of which at least one count is not known: their tokens are in no sum
-- column: error_calls | Calls that ended with an error
-- column: tokens | Input and output tokens that are known
--
-- Sums of NULL alone stay NULL: not stated is not 0.
SELECT
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    {{each main_counts: sum(u.$name) AS $name,}}
    sum(u.calls) AS calls,
    round((ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) / nullIf(sum(ifNull(input_tokens, 0) + ifNull(output_tokens, 0)) OVER (), 0), 4) AS share,
    sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
    sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens
FROM ({{queries.selected}}) AS u
GROUP BY name
ORDER BY ifNull(input_tokens, 0) + ifNull(output_tokens, 0) DESC, name

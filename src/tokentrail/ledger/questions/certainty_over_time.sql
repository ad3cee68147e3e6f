-- title: How sure the numbers are over time
-- asked by: analysts and SREs
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- unit: tokens and calls
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
-- column: calls | Calls
-- column: estimated_calls | Calls whose weaker count is an estimate
-- column: unknown_calls | Calls of which at least one count is not known: their tokens are in no sum
-- column: bridged_calls | Calls that only another instrumentation has told of: sampled and droppable, so of lower assurance
-- column: tokens | Input and output tokens that are known
-- column: estimated_tokens | Of these, estimated ones
-- column: estimated_share | The same as a share, from 0 to 1
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
    sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
    sumIf(u.calls, u.origin = 'bridged') AS bridged_calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
    sum(if(u.input_source = 'estimated', ifNull(u.input_tokens, 0), 0) + if(u.output_source = 'estimated', ifNull(u.output_tokens, 0), 0)) AS estimated_tokens,
    round(estimated_tokens / nullIf(tokens, 0), 4) AS estimated_share
FROM ({{queries.selected}}) AS u
GROUP BY time, name
ORDER BY time, name

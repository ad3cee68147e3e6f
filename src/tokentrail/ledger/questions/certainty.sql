-- title: How sure the numbers are: how much of each bill is estimated, and of how many calls nothing is known
-- asked by: analysts
-- unit: tokens and calls
-- column: provider | Who answered
-- column: model | The model
-- column: calls | Calls
-- column: reported_calls | Calls whose counts the provider reported
-- column: estimated_calls | Calls whose weaker count is an estimate
-- column: unknown_calls | Calls of which at least one count is not known: their tokens are in no sum
-- column: tokens | Input and output tokens that are known
-- column: estimated_tokens | Of these, estimated ones
-- column: estimated_share | The same as a share, from 0 to 1
-- column: bridged_calls | Calls that only another instrumentation has told of: sampled and droppable, so of lower assurance
WITH true AS sums_will_do
SELECT
    u.provider,
    u.model,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.source = 'reported') AS reported_calls,
    sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
    sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
    sum(if(u.input_source = 'estimated', ifNull(u.input_tokens, 0), 0) + if(u.output_source = 'estimated', ifNull(u.output_tokens, 0), 0)) AS estimated_tokens,
    round(estimated_tokens / nullIf(tokens, 0), 4) AS estimated_share,
    sumIf(u.calls, u.origin = 'bridged') AS bridged_calls
FROM ({{queries.selected_by_day}}) AS u
GROUP BY u.provider, u.model
ORDER BY estimated_tokens DESC, unknown_calls DESC, calls DESC, u.provider, u.model

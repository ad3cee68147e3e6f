-- title: How much of the output is reasoning that nobody reads
-- asked by: analysts
-- unit: tokens
-- column: provider | Who answered
-- column: model | The model
-- column: calls | Calls that state their reasoning
-- column: output_tokens | Their output tokens, reasoning included
-- column: reasoning_tokens | Of these, spent on reasoning
-- column: reasoning_share | The same as a share, from 0 to 1
WITH true AS sums_will_do
SELECT
    u.provider,
    u.model,
    sum(u.calls) AS calls,
    sum(u.output_tokens) AS output_tokens,
    sum(u.reasoning_tokens) AS reasoning_tokens,
    round(reasoning_tokens / nullIf(output_tokens, 0), 4) AS reasoning_share
FROM ({{queries.selected_by_day}}) AS u
WHERE u.reasoning_tokens IS NOT NULL
GROUP BY u.provider, u.model
ORDER BY reasoning_tokens DESC, u.provider, u.model

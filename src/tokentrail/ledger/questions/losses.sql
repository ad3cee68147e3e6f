-- title: What was paid for calls whose answer nobody has used: failed, cut short; and what was sent again
-- asked by: analysts and SREs
-- unit: calls and tokens
-- column: provider | Who answered
-- column: model | The model
-- column: failed_calls | Calls that ended with an error
-- column: failed_tokens | Tokens that providers have stated for them all the same
-- column: abandoned_calls | Streams that were cut short or left
-- column: abandoned_tokens | Tokens of these, as far as they are known
-- column: retried_calls | Calls for which the SDK has sent more than one request
-- column: extra_requests | The requests beyond the first one of each; no provider states what it bills for those that failed
-- column: calls | All calls
-- column: share_of_tokens | Failed and abandoned tokens as a share of all, from 0 to 1
WITH true AS sums_will_do
SELECT
    u.provider,
    u.model,
    sumIf(u.calls, u.ended = 'error') AS failed_calls,
    sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.ended = 'error') AS failed_tokens,
    sumIf(u.calls, u.ended = 'partial') AS abandoned_calls,
    sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.ended = 'partial') AS abandoned_tokens,
    sumIf(u.calls, u.attempts > 1) AS retried_calls,
    sumIf((toInt64(u.attempts) - 1) * u.calls, u.attempts > 1) AS extra_requests,
    sum(u.calls) AS calls,
    round((failed_tokens + abandoned_tokens) / nullIf(sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)), 0), 4) AS share_of_tokens
FROM ({{queries.selected_by_day}}) AS u
GROUP BY u.provider, u.model
HAVING failed_calls != 0 OR abandoned_calls != 0 OR retried_calls != 0
ORDER BY failed_tokens + abandoned_tokens DESC, extra_requests DESC, u.provider, u.model

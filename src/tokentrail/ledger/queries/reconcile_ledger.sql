-- title: What the ledger has by day, model and whatever else a bill divides by
-- asked by: tokentrail reconcile
-- slot: relation | usage, usage_cost, or rows with the sums by day in place of the days' own
-- slot: project | The expression that holds a bill's project, '' for none
-- slot: api_key | The expression that holds a bill's key, '' for none
-- slot: cost | Two columns, currency and cost, each with a comma after it
-- unit: tokens, calls and money
-- column: day | The day, UTC
-- column: provider | Who answered
-- column: request_model | The model that was asked for
-- column: response_model | The model that answered
-- column: project | The project
-- column: api_key | The key
-- column: currency | The currency of the price; empty: no price, or not asked for
-- column: cost | What these calls cost
{{each counts: -- column: $name | $comment}}
-- column: calls | Calls
-- column: unpriced_calls | Calls without a price, and calls that state no tokens
-- column: estimated_calls | Calls whose weaker count is an estimate
-- column: estimated_input_tokens | Input tokens that are estimates
-- column: estimated_output_tokens | Output tokens that are estimates
-- column: unknown_calls | Calls of which at least one count is not known
-- column: partial_calls | Calls that were cut short
-- column: partial_output_tokens | Output tokens of these
-- column: error_calls | Calls that ended with an error
-- column: retries | HTTP requests beyond the first of each call
-- column: batch_calls | Results of batches
-- column: token_types | The kinds of tokens
SELECT
    toDate(u.ts) AS day,
    u.provider AS provider,
    u.request_model AS request_model,
    u.response_model AS response_model,
    {{project}} AS project,
    {{api_key}} AS api_key,
    {{cost}}
    {{each counts: sum(u.$name) AS $name,}}
    sum(u.calls) AS calls,
    if(currency = '', calls, 0) AS unpriced_calls,
    sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
    sumIf(u.input_tokens, u.input_source = 'estimated') AS estimated_input_tokens,
    sumIf(u.output_tokens, u.output_source = 'estimated') AS estimated_output_tokens,
    sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
    sumIf(u.calls, u.ended = 'partial') AS partial_calls,
    sumIf(u.output_tokens, u.ended = 'partial') AS partial_output_tokens,
    sumIf(u.calls, u.ended = 'error') AS error_calls,
    sum((toInt64(u.attempts) - 1) * u.calls) AS retries,
    sumIf(u.calls, u.endpoint = 'batch') AS batch_calls,
    arraySort(groupUniqArray(toString(u.token_type))) AS token_types
FROM (SELECT * FROM {{relation}} {{queries.filters}}) AS u
GROUP BY day, provider, request_model, response_model, project, api_key, currency
ORDER BY day, provider, request_model, response_model, project, api_key, currency

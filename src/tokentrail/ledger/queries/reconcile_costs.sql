-- title: What the ledger's calls cost by day, model and whatever else a bill divides by
-- asked by: tokentrail reconcile
-- slot: relation | usage_cost, or rows with the sums by day in place of the days' own
-- slot: project | The expression that holds a bill's project, '' for none
-- slot: api_key | The expression that holds a bill's key, '' for none
-- unit: calls and money
-- column: day | The day, UTC
-- column: provider | Who answered
-- column: request_model | The model that was asked for
-- column: response_model | The model that answered
-- column: project | The project
-- column: api_key | The key
-- column: currency | The currency of the price; empty: no price
-- column: cost | What these calls cost
-- column: calls | Calls
-- column: unpriced_calls | Calls without a price, and calls that state no tokens
-- column: batch_calls | Results of batches
--
-- reconcile_ledger has the same and all tokens, which is a quarter more work over a month of ten million rows.
SELECT
    toDate(u.ts) AS day,
    u.provider AS provider,
    u.request_model AS request_model,
    u.response_model AS response_model,
    {{project}} AS project,
    {{api_key}} AS api_key,
    toString(u.currency) AS currency,
    sum(u.cost) AS cost,
    sum(u.calls) AS calls,
    if(currency = '', calls, 0) AS unpriced_calls,
    sumIf(u.calls, u.endpoint = 'batch') AS batch_calls
FROM (SELECT * FROM {{relation}} {{queries.filters}}) AS u
GROUP BY day, provider, request_model, response_model, project, api_key, currency
ORDER BY day, provider, request_model, response_model, project, api_key, currency

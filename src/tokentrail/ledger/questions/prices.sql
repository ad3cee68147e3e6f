-- title: Which price each model has that was called, and which have none
-- asked by: analysts
-- unit: money per million tokens
-- column: provider | Who answers
-- column: model | The model that answered, or the requested one
-- column: price_source | Whose list the price is of; empty: no price
-- column: price_model | What the list calls the model
-- column: currency | The currency
-- column: cost_state | Whether the calls are priced, partly priced, unpriced or uncounted
-- column: calls | Calls
-- column: tokens | Input and output tokens that are known
-- column: cost | What they cost; NULL: no price
-- column: latest | The latest call, UTC
SELECT
    u.provider,
    u.model,
    u.price_source,
    u.price_model,
    u.currency,
    u.cost_state,
    sum(u.calls) AS calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
    sum(u.cost) AS cost,
    max(u.ts) AS latest
FROM ({{queries.selected_costs}}) AS u
GROUP BY u.provider, u.model, u.price_source, u.price_model, u.currency, u.cost_state
ORDER BY u.cost_state, tokens DESC, u.provider, u.model

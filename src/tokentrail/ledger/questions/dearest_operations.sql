-- title: The dearest operations: what one run of something that the service names has spent, over all its calls
-- asked by: analysts
-- parameter: most UInt32 = 20 | How many rows
-- unit: money, tokens and calls
-- column: operation_id | The id that the service gave; calls without one are in no row
-- column: operation | What for
-- column: tenant_id | Whose tokens
-- column: currency | The currency of the price; empty: no price
-- column: cost | What its tokens cost; NULL: nothing of it has a price
-- column: tokens | Input and output tokens that are known
-- column: calls | Calls
-- column: error_calls | Calls that ended with an error
-- column: first | The first call, UTC
-- column: latest | The latest call, UTC
--
-- Without prices the dearest are those with the most tokens.
SELECT
    u.operation_id,
    u.operation,
    u.tenant_id,
    u.currency,
    sum(u.cost) AS cost,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls,
    min(u.ts) AS first,
    max(u.ts) AS latest
FROM ({{queries.selected_costs}}) AS u
WHERE u.operation_id != ''
GROUP BY u.operation_id, u.operation, u.tenant_id, u.currency
ORDER BY cost DESC NULLS LAST, tokens DESC, u.operation_id, u.operation, u.tenant_id, u.currency
LIMIT {most:UInt32}

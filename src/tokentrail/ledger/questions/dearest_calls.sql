-- title: The calls that cost the most
-- asked by: analysts
-- parameter: most UInt32 = 20 | How many rows
-- unit: one row a call
-- column: ts | When the call started, UTC
-- column: tenant_id | Whose tokens
-- column: operation | What for
-- column: service_name | The service
-- column: provider | Who answered
-- column: model | The model
-- column: cost | What the call cost, by the price at its time
-- column: currency | The currency of the price
-- column: input_tokens | Input tokens; NULL: not stated
-- column: output_tokens | Output tokens; NULL: not stated
-- column: source | Where the counts come from
-- column: ended | How the call ended
-- column: error_type | What ended it, where it failed
-- column: duration_ms | Milliseconds from start to end
-- column: trace_id | The trace
-- column: idempotency_key | The key under which the call counts once
--
-- Amounts of several currencies are not compared: a price list has one currency, and the largest number comes first.
SELECT
    u.ts, u.tenant_id, u.operation, u.service_name, u.provider, u.model, u.cost, u.currency, u.input_tokens, u.output_tokens, u.source, u.ended, u.error_type,
    u.duration_ms, u.trace_id, u.idempotency_key
FROM ({{queries.selected_costs}}) AS u
WHERE u.cost IS NOT NULL
ORDER BY u.cost DESC, u.ts, u.idempotency_key
LIMIT {most:UInt32}

-- title: The calls of one trace
-- asked by: SREs
-- parameter: trace String | The trace's id, 32 hexadecimal digits; no call has an empty one
-- parameter: most UInt32 = 1000 | How many rows
-- unit: one row a call
-- column: ts | When the call started, UTC
-- column: tenant_id | Whose tokens
-- column: operation | What for
-- column: service_name | The service
-- column: provider | Who answered
-- column: model | The model
-- column: input_tokens | Input tokens; NULL: not stated
-- column: output_tokens | Output tokens; NULL: not stated
-- column: source | Where the counts come from
-- column: ended | How the call ended
-- column: error_type | What ended it, where it failed
-- column: duration_ms | Milliseconds from start to end
-- column: trace_id | The trace
-- column: idempotency_key | The key under which the call counts once
SELECT
    u.ts, u.tenant_id, u.operation, u.service_name, u.provider, u.model, u.input_tokens, u.output_tokens, u.source, u.ended, u.error_type,
    u.duration_ms, u.trace_id, u.idempotency_key
FROM ({{queries.selected}}) AS u
WHERE u.trace_id = {trace:String} AND notEmpty(u.trace_id)
ORDER BY u.ts, u.idempotency_key
LIMIT {most:UInt32}

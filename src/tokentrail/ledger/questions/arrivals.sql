-- title: Calls in the order in which they arrived
-- asked by: everybody, by tokentrail tail
-- parameter: after DateTime64(3, 'UTC') = 1970-01-01 00:00:00 | Only calls that arrived at this moment or later
-- parameter: after_key String = | Of those that arrived at that very moment, only keys behind this one: to go on where an answer ended
-- parameter: newest UInt8 = 0 | 1: the newest first, else the oldest first
-- parameter: most UInt32 = 1000 | How many rows
-- unit: one row a call
-- column: arrived_at | When the call's record was inserted into ClickHouse, UTC
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
-- column: writer_id | The process that wrote the record
-- column: idempotency_key | The key under which the call counts once
--
-- A record that completes another one (an estimate, a result) arrives later than that one, and the call with it.
SELECT
    u.arrived_at, u.ts, u.tenant_id, u.operation, u.service_name, u.provider, u.model, u.input_tokens, u.output_tokens, u.source, u.ended, u.error_type,
    u.duration_ms, u.trace_id, u.writer_id, u.idempotency_key
FROM ({{queries.selected}}) AS u
WHERE (u.arrived_at, u.idempotency_key) > ({after:DateTime64(3, 'UTC')}, {after_key:String})
ORDER BY if({newest:UInt8} = 1, -1, 1) * toUnixTimestamp64Milli(u.arrived_at), u.idempotency_key
LIMIT {most:UInt32}

-- title: Records in quarantine, whole, in the order of their hashes
-- asked by: tokentrail quarantine fix and show
-- parameter: reason String = | What the reason begins with; empty for all
-- parameter: ids Array(String) = | Only records whose hash begins like one of these, in lower-case hexadecimal; empty for all
-- parameter: after String = | Only records whose hash is greater
-- parameter: limit UInt64 = 100000 | How many records at most
-- unit: one row a record
-- column: id | The record's hash, in hexadecimal
-- column: reason | Why the record is not understood
-- column: event | What kind of record was given
-- column: writer_id | The process that wrote the record, as given
-- column: seq | The record's number; 0 where none is stated
-- column: arrived_at | When the record arrived, UTC
-- column: Timestamp | The record's time, UTC
-- column: TraceId | The record's trace
-- column: SpanId | The record's span
-- column: TraceFlags | Trace flags
-- column: SeverityText | Severity as text
-- column: SeverityNumber | Severity as number
-- column: ServiceName | The service that sent the record
-- column: Body | The record's body
-- column: ResourceSchemaUrl | Schema of the resource attributes
-- column: ResourceAttributes | Resource attributes
-- column: ScopeSchemaUrl | Schema of the scope attributes
-- column: ScopeName | Instrumentation scope
-- column: ScopeVersion | Its version
-- column: ScopeAttributes | Scope attributes
-- column: LogAttributes | The record's attributes
-- column: EventName | Event name
SELECT
    lower(hex(digest)) AS id, reason, event, writer_id, seq, toString(arrived_at) AS arrived_at, toString(q.Timestamp) AS Timestamp, TraceId, SpanId,
    TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName, ScopeVersion,
    ScopeAttributes, LogAttributes, EventName
FROM quarantine AS q FINAL
WHERE replayed_at IS NULL AND startsWith(reason, {reason:String})
    AND (empty({ids:Array(String)}) OR arrayExists(start -> startsWith(id, start), {ids:Array(String)}))
    AND digest > reinterpretAsUInt128(reverse(unhex({after:String})))
ORDER BY digest
LIMIT {limit:UInt64}

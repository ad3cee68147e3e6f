-- title: Records in quarantine, the latest first, with all attributes
-- asked by: tokentrail quarantine list
-- parameter: reason String = | What the reason begins with; empty for all
-- parameter: limit UInt64 = 100 | How many records at most
-- unit: one row a record
-- column: id | The record's hash, in hexadecimal
-- column: reason | Why the record is not understood
-- column: event | What kind of record was given
-- column: writer_id | The process that wrote the record, as given
-- column: seq | The record's number; 0 where none is stated
-- column: arrived_at | When the record arrived, UTC
-- column: ts | The record's time, UTC
-- column: service_name | The service that sent the record
-- column: body | The record itself
-- column: attributes | All attributes of the record
SELECT lower(hex(digest)) AS id, reason, event, writer_id, seq, arrived_at, Timestamp AS ts, ServiceName AS service_name, Body AS body,
    LogAttributes AS attributes
FROM quarantine FINAL
WHERE replayed_at IS NULL AND startsWith(reason, {reason:String})
ORDER BY arrived_at DESC, id
LIMIT {limit:UInt64}

-- title: Records in quarantine that are not as they arrived
-- asked by: tokentrail verify
-- unit: one row a record
-- column: id | The hash that the record had, in hexadecimal
-- column: writer_id | The process that wrote the record, as given
-- column: seq | The record's number; 0 where none is stated
SELECT DISTINCT lower(hex(digest)) AS id, writer_id, seq
FROM quarantine
WHERE digest != reinterpretAsUInt128(
    sipHash128(LogAttributes, ResourceAttributes, toUnixTimestamp64Nano(Timestamp), TraceId, SpanId, Body))
ORDER BY id

-- title: Records of the landing table that are neither in the ledger nor in quarantine
-- asked by: tokentrail reconcile
-- parameter: hours UInt32 | Records that have arrived within so many hours
-- parameter: writer_attribute String | The attribute that names a record's writer
-- parameter: seq_attribute String | The attribute with a record's number
-- parameter: event_attribute String | The attribute that says what a record is
-- unit: records
-- column: service_name | The service that sent them
-- column: writer_id | The process that wrote them
-- column: records | How many
-- column: examples | The first five numbers
--
-- The identity is made of the record's own text, as usage_parse makes it, and so does not rest on what the views have written. What has arrived within
-- the last minute may still be on its way through the views. Of the ledger no more is held than the same identities, and no older months are read.
-- What was erased or has expired since, with all records of its key, and what was not taken for that reason, is missing on purpose.
WITH
    kept AS
    (
        SELECT
            ServiceName AS service_name,
            LogAttributes[{writer_attribute:String}] AS writer_id,
            toUInt64OrZero(LogAttributes[{seq_attribute:String}]) AS seq,
            JSONExtract(Body, 'Tuple(key String, key_kind String, call String, key_time String)') AS said,
            fromUnixTimestamp64Nano(if(tupleElement(said, 'key_kind') = 'opaque', toInt64(0), toInt64OrZero(tupleElement(said, 'key_time'))), 'UTC') AS key_ts,
            if(tupleElement(said, 'call') IN ('', '0'), seq, toUInt64OrZero(tupleElement(said, 'call'))) AS call,
            if(tupleElement(said, 'key_kind') IN ('', 'automatic'), concat(writer_id, ' ', toString(call), ' '), '') AS before,
            reinterpretAsUInt128(sipHash128(before, tupleElement(said, 'key'))) AS key_hash
        FROM usage_landing
        WHERE arrived_at >= now64(3, 'UTC') - toIntervalHour({hours:UInt32})
            AND arrived_at < now64(3, 'UTC') - toIntervalMinute(1)
            AND LogAttributes[{event_attribute:String}] = 'usage'
    ),
    removed AS
    (
        SELECT kept.key_hash AS key_hash
        FROM kept
        INNER JOIN ({{queries.removed_numbers}}) AS gone ON kept.writer_id = gone.writer_id
        WHERE bitmapContains(gone.numbers, kept.seq) OR bitmapContains(gone.numbers, kept.call)
    )
SELECT
    service_name,
    writer_id,
    count() AS records,
    arrayStringConcat(arrayMap(each -> toString(each), arraySlice(arraySort(groupArray(seq)), 1, 5)), ', ') AS examples
FROM kept
WHERE key_hash GLOBAL NOT IN
    (
        SELECT key_hash
        FROM usage_ledger
        WHERE (key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC') OR key_ts >= (SELECT minIf(key_ts, key_ts > toDateTime64(0, 9, 'UTC')) FROM kept))
            AND key_hash GLOBAL IN (SELECT key_hash FROM kept)
    )
    AND (writer_id, seq) GLOBAL NOT IN (SELECT writer_id, seq FROM quarantine)
    AND key_hash GLOBAL NOT IN (SELECT key_hash FROM removed)
GROUP BY service_name, writer_id
ORDER BY service_name, writer_id

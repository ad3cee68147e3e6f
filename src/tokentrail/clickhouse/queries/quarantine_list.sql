-- The records in quarantine, the latest first, with all that they say.
SELECT lower(hex(digest)) AS id, reason, event, writer_id, seq, arrived_at, Timestamp AS ts, ServiceName AS service_name, LogAttributes AS attributes
FROM quarantine FINAL
WHERE replayed_at IS NULL AND startsWith(reason, {reason:String})
ORDER BY arrived_at DESC, id
LIMIT {limit:UInt64}

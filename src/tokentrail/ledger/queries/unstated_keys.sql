-- title: Claimed keys for which the ledger counts what no record has stated
-- asked by: tokentrail verify
-- unit: one row a row of the ledger
-- column: key | The claimed key; of a four-part key without the time at its end
-- column: writer_id | The process whose record the row names
-- column: seq | The record's number
--
-- Either the row of the ledger was altered or added, or what was said for its key is gone from key_conflicts. Of a key that is
-- being removed on purpose a part is gone already.
SELECT key_head AS key, writer_id, seq
FROM usage_ledger
WHERE key_kind != 'automatic' AND writer_id != ''
    AND cityHash64((key_hash, key_ts, least(toInt8(input_source), toInt8(output_source)), calls{{each main_counts: , $name}})) GLOBAL NOT IN
    (
        SELECT cityHash64((key_hash, key_ts, toInt8(bitAnd(rank, 3)), calls{{each main_counts: , $name}}))
        FROM key_conflicts
    )
    AND key_hash GLOBAL NOT IN (SELECT key_hash FROM removing_keys)
ORDER BY key, writer_id, seq

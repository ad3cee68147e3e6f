-- title: Stores which calls and records are removed from the ledger on purpose
-- asked by: tokentrail erase, tokentrail retention
-- parameter: removal UInt64 | The number of the removal
-- unit: no answer
-- columns: none
--
-- Before the rows are removed. A call that is not there any more is not stored: what was lost before stays lost.
-- On a cluster one node divides the rows: the statement that a shard would be sent names the table of keys without its database.
INSERT INTO removed_calls (writer_id, calls, records)
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0
SELECT writer_id, groupBitmapStateIf(call, key_kind = 'automatic'), groupBitmapState(seq)
FROM usage_ledger
WHERE writer_id != ''
    AND ((key_kind = 'automatic' AND {{queries.removed_usages}})
        OR (key_kind != 'automatic' AND key_hash GLOBAL IN (SELECT key_hash FROM removing_keys WHERE removal = {removal:UInt64})))
GROUP BY writer_id

-- title: Stores which calls are removed from the ledger on purpose
-- asked by: tokentrail erase, tokentrail retention
-- unit: no answer
-- columns: none
--
-- Before the rows are removed. A call that is not there any more is not stored: what was lost before stays lost.
INSERT INTO removed_calls (writer_id, calls)
SETTINGS distributed_foreground_insert = 1
SELECT writer_id, groupBitmapState(call)
FROM usage_ledger
WHERE key_kind = 'automatic' AND {{queries.removed_usages}}
GROUP BY writer_id

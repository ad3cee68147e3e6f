-- title: Stores which records are removed from quarantine on purpose
-- asked by: tokentrail erase, tokentrail retention
-- slot: stated | An array of the tenants that a record states
-- slot: moment | The time of a record
-- unit: no answer
-- columns: none
INSERT INTO removed_calls (writer_id, quarantined)
SETTINGS distributed_foreground_insert = 1
SELECT writer_id, groupBitmapState(seq)
FROM quarantine
WHERE {{queries.removed_rows}}
GROUP BY writer_id

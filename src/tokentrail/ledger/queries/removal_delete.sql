-- title: Removes rows of tenants from a table
-- asked by: tokentrail erase, tokentrail retention
-- slot: table | The table that stores the rows, with ON CLUSTER where there is a cluster
-- slot: stated | An array of the tenants that a row states
-- slot: moment | The time of a row
-- unit: no answer
-- columns: none
ALTER TABLE {{table}} DELETE
WHERE {{queries.removed_rows}}
SETTINGS mutations_sync = 2

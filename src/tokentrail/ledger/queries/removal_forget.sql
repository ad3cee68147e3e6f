-- title: Takes tenants out of lists of tenants
-- asked by: tokentrail erase
-- slot: table | The table that stores the rows, with ON CLUSTER where there is a cluster
-- slot: column | The column with a list of tenants
-- slot: stated | The same list, as an array of texts
-- slot: moment | The time of a row
-- unit: no answer
-- columns: none
ALTER TABLE {{table}}
UPDATE {{column}} = arrayFilter(one -> NOT has({tenants:Array(String)}, toString(reinterpretAsUInt128(sipHash128(concat('tenant ', one))))), {{column}})
WHERE {{queries.removed_rows}}
SETTINGS mutations_sync = 2

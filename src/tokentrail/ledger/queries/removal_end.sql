-- title: Forgets the claimed keys of a removal, and those that a killed one has left a day ago
-- asked by: tokentrail erase, tokentrail retention
-- parameter: removal UInt64 | The number of the removal
-- slot: table | The table that stores the rows, with ON CLUSTER where there is a cluster
-- unit: no answer
-- columns: none
ALTER TABLE {{table}} DELETE
WHERE removal = {removal:UInt64} OR removal + 86400000000000 < {removal:UInt64}
SETTINGS mutations_sync = 2

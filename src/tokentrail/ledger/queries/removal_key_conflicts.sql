-- title: Removes the claimed keys of removed usages from what was said for keys
-- asked by: tokentrail erase, tokentrail retention
-- parameter: removal UInt64 | The number of the removal
-- slot: table | The table that stores the rows, with ON CLUSTER where there is a cluster
-- unit: no answer
-- columns: none
ALTER TABLE {{table}} DELETE
WHERE key_hash IN (SELECT key_hash FROM removing_keys WHERE removal = {removal:UInt64})
SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1

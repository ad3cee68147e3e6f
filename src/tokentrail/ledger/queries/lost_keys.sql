-- title: Claimed keys that arrived and are not in the ledger
-- asked by: tokentrail verify
-- unit: one row a key
-- column: key_hash | The key's hash
-- column: key | The claimed key
-- column: writer_id | One of the writers that gave the key
--
-- Of a key that is being removed on purpose a part is gone already.
SELECT key_hash, min(key) AS key, max(writer_id) AS writer_id
FROM key_conflicts
WHERE (key_ts, key_hash) GLOBAL NOT IN (SELECT key_ts, key_hash FROM usage_ledger WHERE key_kind != 'automatic')
    AND key_hash GLOBAL NOT IN (SELECT key_hash FROM removing_keys)
GROUP BY key_hash
ORDER BY key, key_hash

-- Claimed keys whose record was understood on its way, but which the ledger does not hold.
SELECT key_hash, min(key) AS key, max(writer_id) AS writer_id
FROM key_conflicts
WHERE (key_ts, key_hash) GLOBAL NOT IN (SELECT key_ts, key_hash FROM usage_ledger WHERE key_kind != 'automatic')
GROUP BY key_hash
ORDER BY key, key_hash

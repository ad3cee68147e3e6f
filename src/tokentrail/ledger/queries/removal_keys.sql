-- title: Stores which claimed keys are to be removed
-- asked by: tokentrail erase, tokentrail retention
-- parameter: removal UInt64 | The number of the removal
-- unit: no answer
-- columns: none
--
-- A claimed key may have records of several tenants. It belongs to the one for whom it counts: the tenant of the record that counts, or of the
-- creation of the job. All records of the key go with it, since else one that did not count would count from now on.
INSERT INTO removing_keys (key_hash, removal)
SETTINGS distributed_foreground_insert = 1
SELECT key_hash, {removal:UInt64}
FROM
(
    SELECT l.key_hash AS key_hash, l.key_ts AS key_ts, l.event_ts AS event_ts, if(known.created != '', known.created, toString(l.tenant_id)) AS tenant_id
    FROM
    (
        SELECT key_hash, key_ts, event_ts, tenant_id, substringIndex(key_head, '#', 1) AS job
        FROM usage_ledger FINAL
        WHERE key_kind != 'automatic'
    ) AS l
    LEFT ANY JOIN ({{queries.jobs_created}}) AS known ON l.job = known.name
)
WHERE {{queries.removed_usages}}

-- title: Takes a tenant out of records that do not count for the tenant
-- asked by: tokentrail erase
-- slot: table | The table that stores the rows, with ON CLUSTER where there is a cluster
-- unit: no answer
-- columns: none
--
-- Records of a claimed key that counts for another tenant, and polls of a job that was created for another one.
ALTER TABLE {{table}} UPDATE tenant_id = ''
WHERE key_kind != 'automatic' AND {{queries.removed_usages}}
SETTINGS mutations_sync = 2

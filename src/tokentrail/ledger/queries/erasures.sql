-- title: What was erased
-- asked by: tokentrail erase
-- unit: one row an erasure
-- column: tenant | Hash of the tenant
-- column: until | Usages before this moment are not taken any more
-- column: why | Why, as given
-- column: at | When, UTC
SELECT toString(tenant) AS tenant, until, why, at
FROM removals
WHERE cause = 'erasure'
ORDER BY version, tenant

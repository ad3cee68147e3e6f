-- title: The latest moment that a usage of a tenant states
-- asked by: tokentrail erase
-- parameter: tenant String | The tenant
-- unit: one row
-- column: until | A moment after the present and after every usage of the tenant: clocks of services may be ahead
SELECT greatest(now64(9, 'UTC'), ifNull(maxOrNull(ts) + toIntervalNanosecond(1), now64(9, 'UTC'))) AS until
FROM usage
WHERE tenant_id = {tenant:String}

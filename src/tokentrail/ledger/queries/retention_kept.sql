-- title: Up to when sums are kept of usages that retention has removed
-- asked by: tokentrail retention
-- unit: tenants
-- column: tenant | Hash of the tenant
-- column: until | The end of the last day whose sums are kept, UTC
SELECT
    toString(reinterpretAsUInt128(sipHash128(concat('tenant ', toString(tenant_id))))) AS tenant,
    concat(toString(max(day) + 1), ' 00:00:00') AS until
FROM usage_days
WHERE build >= 9223372036854775808
GROUP BY tenant
ORDER BY tenant

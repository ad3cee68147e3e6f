-- title: The retention rules that are in force
-- asked by: tokentrail retention
-- unit: days
-- column: tenant | Whose usages; empty together with everyone
-- column: everyone | Whether the rule is that of all tenants without a rule of their own
-- column: days | How many days usages are kept; 0: for good
-- column: keep_sums | Whether the sums by day of what is removed are kept
-- column: at | When the rule was set, UTC
SELECT
    r.tenant AS tenant,
    r.everyone AS everyone,
    argMax(r.days, r.version) AS days,
    argMax(r.keep_sums, r.version) AS keep_sums,
    argMax(r.at, r.version) AS at
FROM retention_rules AS r
GROUP BY r.everyone, r.tenant
HAVING NOT argMax(r.removed, r.version)
ORDER BY everyone DESC, tenant

-- The sums by day of usages that retention has removed from the ledger, where its rule keeps them. Their builds have the highest bit, which no build of
-- `tokentrail rollup` has: what looks for the latest build of a day, or for former ones, does not see them. Two runs at once, or two imports, may keep the
-- same sums: of a day and tenant those of one build count, and of equal rows one (a build has none: its rows differ in what they are summed by).
CREATE OR REPLACE VIEW usage_kept{{on_cluster}}
(
{{part day_columns}}
)
AS
SELECT * EXCEPT (build)
FROM (SELECT DISTINCT * FROM usage_builds WHERE build >= 9223372036854775808)
WHERE (day, tenant_id, build) IN (SELECT day, tenant_id, min(build) FROM usage_days WHERE build >= 9223372036854775808 GROUP BY day, tenant_id)
COMMENT 'Sums by day of usages that retention has removed: no row of the ledger stands behind them any more';

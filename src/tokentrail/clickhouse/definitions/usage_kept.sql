-- The sums by day of usages that retention has removed from the ledger, where its rule keeps them. Their builds have the highest bit, which no build of
-- `tokentrail rollup` has: what looks for the latest build of a day, or for former ones, does not see them.
CREATE OR REPLACE VIEW usage_kept{{on_cluster}}
(
{{part day_columns}}
)
AS
SELECT * EXCEPT (build)
FROM usage_builds
WHERE build >= 9223372036854775808
COMMENT 'Sums by day of usages that retention has removed: no row of the ledger stands behind them any more';

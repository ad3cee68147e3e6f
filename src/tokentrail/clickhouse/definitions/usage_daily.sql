-- The stored sums of the fresh days.
CREATE OR REPLACE VIEW usage_daily{{on_cluster}}
(
{{part day_columns}}
    , is_priced            Bool COMMENT 'Whether the costs are those of the price lists that are loaded now: else read usage_cost'
)
AS
SELECT b.* EXCEPT (build), fresh.is_priced AS is_priced
FROM usage_builds AS b
INNER JOIN usage_fresh_days AS fresh ON b.day = fresh.day AND b.build = fresh.build
COMMENT 'Sums by day of the days that are built and unchanged since: the present day, and days with late arrivals, are not among them';

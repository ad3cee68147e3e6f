-- title: The usages that a question is about, days that are summed as their sums
-- asked by: questions that only add up
-- unit: no answer of its own
-- columns: none
--
-- Days that are in the range only in part are read from the ledger, and so are the days whose sums are not what the ledger says now. What retention has
-- removed is in the sums that it keeps: these count in place of whatever else there is of the same day and tenant, so that no moment of a removal, nor
-- one that was interrupted, counts a usage twice.
SELECT ts, {{each by_day: $name, }}operation_id, writer_id, metadata, calls, {{each counts: $name, }}{{each sizes: $name, }}true AS is_sum
FROM
(
    SELECT *, toDateTime64(day, 9, 'UTC') AS ts, '' AS operation_id, '' AS writer_id, '' AS metadata
    FROM (SELECT * EXCEPT (is_priced) FROM usage_daily WHERE (day, tenant_id) NOT IN ({{queries.kept_days}}) UNION ALL SELECT * FROM usage_kept)
)
{{queries.filters}}
    AND {{queries.sums_suffice}} AND day < toDate32({to:DateTime64(9, 'UTC')}) AND NOT has({{queries.divided_days}}, day)
UNION ALL
SELECT ts, {{each by_day: $name, }}operation_id, writer_id, metadata, calls, {{each counts: $name, }}{{each sizes: $name, }}false AS is_sum
FROM usage
{{queries.filters}}
    AND NOT (timed AND {{queries.sums_suffice}}
        AND (toDate(ts) GLOBAL IN ({{queries.summed_days}}) OR (toDate(ts), tenant_id) GLOBAL IN ({{queries.kept_days}})))

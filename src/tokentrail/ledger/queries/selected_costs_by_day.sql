-- title: The usages that a question about money is about, days that are summed as their sums
-- asked by: questions that only add up
-- unit: no answer of its own
-- columns: none
--
-- As selected_by_day; the costs of a day count while the price lists are those by which the costs were made. Costs that retention keeps stay what they were.
SELECT ts, {{each by_day: $name, }}operation_id, writer_id, metadata, calls, {{each counts: $name, }}{{each sizes: $name, }}cost_state, input_cost, output_cost, call_cost,
    cost, currency, price_source, price_model, true AS is_sum
FROM
(
    SELECT *, toDateTime64(day, 9, 'UTC') AS ts, '' AS operation_id, '' AS writer_id, '' AS metadata
    FROM
    (
        SELECT * EXCEPT (is_priced) FROM usage_daily WHERE is_priced AND (day, tenant_id) NOT IN ({{queries.kept_days}})
        UNION ALL
        SELECT * FROM usage_kept
    )
)
{{queries.filters}}
    AND {{queries.sums_suffice}} AND day < toDate32({to:DateTime64(9, 'UTC')}) AND NOT has({{queries.divided_days}}, day)
UNION ALL
SELECT ts, {{each by_day: $name, }}operation_id, writer_id, metadata, calls, {{each counts: $name, }}{{each sizes: $name, }}cost_state, input_cost, output_cost, call_cost,
    cost, currency, price_source, price_model, false AS is_sum
FROM usage_cost
{{queries.filters}}
    AND NOT (timed AND {{queries.sums_suffice}}
        AND (toDate(ts) GLOBAL IN ({{queries.summed_days}} AND is_priced) OR (toDate(ts), tenant_id) GLOBAL IN ({{queries.kept_days}})))

-- title: The whole days of a range, by tenant, whose usages retention has removed and whose sums it keeps
-- asked by: the queries selected_by_day and selected_costs_by_day
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- unit: days
-- column: day | The day, UTC
-- column: tenant_id | The tenant
SELECT day, tenant_id
FROM usage_days
WHERE build >= 9223372036854775808
    AND toDateTime64(day, 9, 'UTC') >= {from:DateTime64(9, 'UTC')} AND day < toDate32({to:DateTime64(9, 'UTC')}) AND NOT has({{queries.divided_days}}, day)

-- title: Keeps the sums of days of usages that are removed
-- asked by: tokentrail retention
-- parameter: build UInt64 | The number of the sums, above those of all builds
-- parameter: days Array(Date) | The days
-- unit: no answer
-- columns: none
--
-- The sums of a day and tenant are kept once: a removal that was interrupted stores them not again.
INSERT INTO usage_days
(
    day, build, {{each summed_by: $name, }}calls, {{each counts: $name, }}{{each sizes: $name, }}input_cost, output_cost, call_cost
)
SELECT
    day, {build:UInt64}, {{each summed_by: $name, }}calls, {{each counts: $name, }}{{each sizes: $name, }}input_cost, output_cost, call_cost
FROM (SELECT *, toDateTime64(day, 9, 'UTC') AS key_ts, key_ts AS event_ts FROM usage_day_sums)
WHERE day IN ({days:Array(Date)}) AND {{queries.removed_usages}}
    AND (day, tenant_id) NOT IN (SELECT day, tenant_id FROM usage_days WHERE build >= 9223372036854775808)

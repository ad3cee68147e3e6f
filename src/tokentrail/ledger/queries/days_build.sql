-- title: Stores the sums of days
-- asked by: tokentrail rollup
-- parameter: build UInt64 | The number of the build
-- parameter: days Array(Date) | The days
-- unit: no answer
-- columns: none
INSERT INTO usage_days
(
    day, build, {{each summed_by: $name, }}calls, {{each counts: $name, }}{{each sizes: $name, }}input_cost, output_cost, call_cost
)
SELECT
    day, {build:UInt64}, {{each summed_by: $name, }}calls, {{each counts: $name, }}{{each sizes: $name, }}input_cost, output_cost, call_cost
FROM usage_day_sums
WHERE day IN ({days:Array(Date)})

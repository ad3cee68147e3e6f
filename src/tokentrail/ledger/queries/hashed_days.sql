-- title: A sum of hashes of the stored sums of each day and build
-- asked by: the queries days_publish and days_different
-- unit: hashes
-- column: day | The day, UTC
-- column: build | The build
-- column: sums | The sum of the rows' hashes
SELECT
    day, build,
    sum(cityHash64((day, build, {{each summed_by: $name, }}calls, {{each counts: $name, }}{{each sizes: $name, }}input_cost, output_cost, call_cost))) AS sums
FROM usage_days
GROUP BY day, build
ORDER BY day, build

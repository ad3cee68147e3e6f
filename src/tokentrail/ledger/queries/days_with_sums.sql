-- title: The days of a range whose sums say what the ledger says
-- asked by: tokentrail report, pages
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- unit: days
-- column: day | A whole day, UTC
-- column: build | The build of its sums
-- column: is_priced | Whether the costs are those of the price lists that are loaded
SELECT day, build, is_priced
FROM usage_fresh_days
WHERE toDateTime64(day, 9, 'UTC') >= {from:DateTime64(9, 'UTC')} AND day < toDate32({to:DateTime64(9, 'UTC')})
ORDER BY day

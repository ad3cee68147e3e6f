-- title: How many days of a range are read from their sums
-- asked by: tokentrail report
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- unit: days, in one row
-- column: days | Whole days whose sums say what the ledger says
-- column: priced_days | Of these, the days whose costs are those of the price lists that are loaded
SELECT count() AS days, countIf(is_priced) AS priced_days
FROM usage_fresh_days
WHERE toDateTime64(day, 9, 'UTC') >= {from:DateTime64(9, 'UTC')} AND day < toDate32({to:DateTime64(9, 'UTC')})

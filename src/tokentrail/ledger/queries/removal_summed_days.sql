-- title: The days of whose sums a removal takes rows
-- asked by: tokentrail erase, tokentrail retention
-- slot: stated | An array of the tenants that a row states
-- slot: moment | The time of a row
-- unit: days
-- column: day | The day, UTC
SELECT DISTINCT day
FROM usage_days
WHERE {{queries.removed_rows}}
ORDER BY day

-- title: Makes the sums of days count, or none of theirs
-- asked by: tokentrail rollup
-- parameter: days Array(Date) | The days
-- parameter: build UInt64 = 0 | The number of the build whose sums count from now on; 0: none do
-- parameter: built_at DateTime64(3, 'UTC') | A moment before the ledger was read
-- parameter: definition UInt64 = 0 | The digest of the definitions
-- parameter: prices UInt64 = 0 | The digest of the price lists
-- unit: no answer
-- columns: none
INSERT INTO usage_day_builds (day, build, built_at, definition, prices)
SELECT arrayJoin({days:Array(Date)}), {build:UInt64}, {built_at:DateTime64(3, 'UTC')}, {definition:UInt64}, {prices:UInt64}

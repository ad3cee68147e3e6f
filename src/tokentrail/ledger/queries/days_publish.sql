-- title: Makes the sums of days count, or none of theirs
-- asked by: tokentrail rollup
-- parameter: days Array(Date) | The days
-- parameter: build UInt64 = 0 | The number of the build whose sums count from now on; 0: none do
-- parameter: built_at DateTime64(3, 'UTC') | A moment before the ledger was read
-- parameter: definition UInt64 = 0 | The digest of the definitions
-- parameter: prices UInt64 = 0 | The digest of the price lists
-- unit: no answer
-- columns: none
--
-- What of the sums is altered afterwards is seen by the sum of the rows' hashes, which is kept with the build.
INSERT INTO usage_day_builds (day, build, built_at, definition, prices, sums)
SELECT published.day, {build:UInt64}, {built_at:DateTime64(3, 'UTC')}, {definition:UInt64}, {prices:UInt64}, stored.sums
FROM (SELECT arrayJoin({days:Array(Date)}) AS day) AS published
LEFT ANY JOIN ({{queries.hashed_days}}) AS stored ON stored.day = published.day AND stored.build = {build:UInt64}

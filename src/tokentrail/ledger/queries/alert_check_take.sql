-- title: Takes a number of checks: of two at once the server keeps the first
-- asked by: tokentrail check --notify
-- parameter: number UInt64 | The number
-- parameter: holder String | The process
-- parameter: seconds UInt32 | For how long
-- slot: token | The deduplication token, a literal
-- unit: no answer
-- columns: none
INSERT INTO alert_checks (number, holder, until, ended)
SETTINGS insert_deduplicate = 1, insert_deduplication_token = {{token}}, async_insert = 0
VALUES ({number:UInt64}, {holder:String}, now64(3, 'UTC') + toIntervalSecond({seconds:UInt32}), false)

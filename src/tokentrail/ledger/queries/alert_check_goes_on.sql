-- title: Says of a check that it goes on, or that it has ended
-- asked by: tokentrail check --notify
-- parameter: number UInt64 | Its number
-- parameter: holder String | The process
-- parameter: seconds UInt32 | For how long it goes on
-- parameter: ended UInt8 | 1 if it has ended
-- unit: no answer
-- columns: none
INSERT INTO alert_checks (number, holder, until, ended)
SETTINGS insert_deduplicate = 0, async_insert = 0
VALUES ({number:UInt64}, {holder:String}, now64(3, 'UTC') + toIntervalSecond({seconds:UInt32}), {ended:UInt8} = 1)

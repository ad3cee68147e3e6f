-- title: The latest version of the states of alerts
-- asked by: tokentrail check, before it writes
-- unit: a number
-- column: version | The highest version of all alerts
SELECT max(version) AS version FROM alerts

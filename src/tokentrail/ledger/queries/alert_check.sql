-- title: The latest check that told, and whether it goes on
-- asked by: tokentrail check --notify
-- unit: one row
-- column: number | The number of the check; 0: none yet
-- column: holder | The process that has taken it
-- column: runs | Whether it goes on: it has not ended, and its time is not over
SELECT
    max(c.number) AS number,
    max(c.holder) AS holder,
    toBool(max(c.number) > 0 AND max(c.until) > now64(3, 'UTC') AND NOT max(c.ended)) AS runs
FROM alert_checks AS c
WHERE c.number = (SELECT max(number) FROM alert_checks)
ORDER BY number

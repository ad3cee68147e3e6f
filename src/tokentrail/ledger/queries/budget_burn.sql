-- title: Which budgets are being spent faster than they last, in two windows
-- asked by: the conditions budget_burn_fast and budget_burn_slow
-- parameter: times UInt16 = 2 | The threshold
-- unit: no answer of its own
-- columns: none
--
-- Reads windows and paces, which the query around it has: the two windows' names, and the budgets with the pace of each.
SELECT
    b.name AS subject,
    toFloat64(least(b.pace_of_shorter, b.pace_of_longer)) AS value,
    toFloat64({times:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat('pace of the last ', windows.1, ' ', toString(b.pace_of_shorter), ', of ', windows.2, ' ', toString(b.pace_of_longer),
        '; spent ', toString(round(b.share * 100, 1)), ' percent, forecast ', toString(round(b.forecast_share * 100)), ' percent of ', toString(b.amount),
        if(b.currency = '', ' tokens', concat(' ', b.currency)), ' in the ', b.period) AS detail
FROM paces AS b
WHERE b.period != 'day'
ORDER BY value DESC, subject

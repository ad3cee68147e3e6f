-- title: Which budgets are being spent so fast that they are gone in days
-- asked by: tokentrail check and Grafana's alerts
-- parameter: times UInt16 = 6 | The threshold
-- unit: times the pace of the budget
-- column: subject | The budget
-- column: value | The smaller of the paces of the last hour and of the last six: at 1 the budget lasts to the end of its period
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- Six hours at the threshold are a twentieth of a month's budget. Two windows: one large call alone does not fire, and the alert ends with the spending.
-- Budgets of a day are the condition budget_spent.
SELECT
    b.name AS subject,
    toFloat64(least(b.burn_1h, b.burn_6h)) AS value,
    toFloat64({times:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat('pace of the last hour ', toString(b.burn_1h), ', of six hours ', toString(b.burn_6h), '; spent ', toString(round(b.share * 100, 1)),
        ' percent, forecast ', toString(round(b.forecast_share * 100)), ' percent of ', toString(b.amount), if(b.currency = '', ' tokens', concat(' ', b.currency)),
        ' in the ', b.period) AS detail
FROM ({{queries.budgets}}) AS b
WHERE b.period != 'day'
ORDER BY value DESC, subject

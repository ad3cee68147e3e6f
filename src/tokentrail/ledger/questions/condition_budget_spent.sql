-- title: Which budgets are nearly spent, or overspent
-- asked by: tokentrail check and Grafana's alerts
-- parameter: percent UInt16 = 90 | The threshold
-- unit: percent of the budget
-- column: subject | The budget
-- column: value | How much of 100 is spent in the current period
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- A new period begins with nothing spent.
SELECT
    b.name AS subject,
    round(toFloat64(b.share) * 100, 2) AS value,
    toFloat64({percent:UInt16}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat('spent ', toString(b.spent), ' of ', toString(b.amount), if(b.currency = '', ' tokens', concat(' ', b.currency)),
        if(b.is_lower_bound, ', or more', ''), ' in the ', b.period, ' that ends at ', toString(b.ends), ' UTC') AS detail
FROM ({{queries.budgets}}) AS b
ORDER BY value DESC, subject

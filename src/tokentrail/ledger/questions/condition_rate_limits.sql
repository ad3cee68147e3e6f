-- title: Whose calls are refused for their rate or quota
-- asked by: tokentrail check and Grafana's alerts
-- parameter: percent UInt16 = 5 | The threshold
-- parameter: least_calls UInt32 = 20 | Fewer calls say nothing
-- unit: percent of calls
-- column: subject | Provider and model
-- column: value | How many of 100 calls were refused
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- Calls that an SDK has sent again with success have not failed.
SELECT
    concat(provider, ' / ', model) AS subject,
    round(100 * limited / made, 2) AS value,
    toFloat64({percent:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(limited), ' of ', toString(made), ' calls in ', toString({minutes:UInt16}), ' minutes were refused for their rate or quota') AS detail
FROM ({{queries.outcomes}})
WHERE made >= {least_calls:UInt32} AND made > 0
ORDER BY value DESC, subject

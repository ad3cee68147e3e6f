-- title: Whose calls fail too often, limits of rate apart
-- asked by: tokentrail check and Grafana's alerts
-- parameter: percent UInt16 = 10 | The threshold
-- parameter: least_calls UInt32 = 20 | Fewer calls say nothing
-- unit: percent of calls
-- column: subject | Provider and model
-- column: value | How many of 100 calls have failed
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- Limits of rate and quota are the condition rate_limits.
SELECT
    concat(provider, ' / ', model) AS subject,
    round(100 * failed / made, 2) AS value,
    toFloat64({percent:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(failed), ' of ', toString(made), ' calls in ', toString({minutes:UInt16}), ' minutes have failed, most with ', usual_error) AS detail
FROM ({{queries.outcomes}})
WHERE made >= {least_calls:UInt32} AND made > 0
ORDER BY value DESC, subject

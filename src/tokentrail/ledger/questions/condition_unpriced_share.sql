-- title: Which models have no price
-- asked by: tokentrail check and Grafana's alerts
-- parameter: hours UInt16 = 24 | How many hours back
-- parameter: percent UInt16 = 5 | The threshold
-- parameter: least_calls UInt32 = 20 | Fewer calls say nothing
-- unit: percent of calls
-- column: subject | Provider and model
-- column: value | Of 100 calls that state tokens, those without a price: in no cost
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- Says nothing while no price list is loaded at all.
WITH least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end
SELECT
    concat(u.provider, ' / ', u.model) AS subject,
    round(100 * sumIf(u.calls, u.cost_state = 'unpriced') / sum(u.calls), 2) AS value,
    toFloat64({percent:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(sumIf(u.calls, u.cost_state = 'unpriced')), ' of ', toString(sum(u.calls)), ' calls in ', toString({hours:UInt16}),
        ' hours have no price, with ',
        toString(sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.cost_state = 'unpriced')), ' tokens') AS detail
FROM ({{queries.selected_costs}}) AS u
WHERE u.ts >= end - toIntervalHour({hours:UInt16}) AND u.ts < end AND u.cost_state != 'uncounted' AND (SELECT count() FROM prices) > 0
GROUP BY u.provider, u.model
HAVING sum(u.calls) >= {least_calls:UInt32} AND sum(u.calls) > 0
ORDER BY value DESC, subject

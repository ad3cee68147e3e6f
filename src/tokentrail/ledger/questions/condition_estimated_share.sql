-- title: Which models' counts are estimated or not known too often
-- asked by: tokentrail check and Grafana's alerts
-- parameter: hours UInt16 = 24 | How many hours back
-- parameter: percent UInt16 = 20 | The threshold
-- parameter: least_calls UInt32 = 50 | Fewer calls say nothing
-- unit: percent of calls
-- column: subject | Provider and model
-- column: value | Of 100 calls that did not fail, those whose counts the provider has not reported
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- The tokens behind such calls are in a bill, and no sum can be held against it to the token.
WITH least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end
SELECT
    concat(u.provider, ' / ', u.model) AS subject,
    round(100 * sumIf(u.calls, u.source != 'reported') / sum(u.calls), 2) AS value,
    toFloat64({percent:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat('of ', toString(sum(u.calls)), ' calls in ', toString({hours:UInt16}), ' hours ', toString(sumIf(u.calls, u.source = 'estimated')),
        ' are estimated and ', toString(sumIf(u.calls, u.source = 'unknown')), ' not known') AS detail
FROM ({{queries.selected}}) AS u
WHERE u.ts >= end - toIntervalHour({hours:UInt16}) AND u.ts < end AND u.ended != 'error'
GROUP BY u.provider, u.model
HAVING sum(u.calls) >= {least_calls:UInt32} AND sum(u.calls) > 0
ORDER BY value DESC, subject

-- title: Whose usage arrives late: how old the backlog in journals and queues is
-- asked by: tokentrail check and Grafana's alerts
-- parameter: minutes UInt16 = 15 | Of records that arrived in so many minutes
-- parameter: late UInt16 = 10 | The threshold: minutes from a call's end to its arrival
-- parameter: least_calls UInt32 = 10 | Fewer calls say nothing
-- unit: minutes
-- column: subject | The service
-- column: value | One of ten calls took longer from its end to its arrival
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- A backlog that does not move at all arrives nowhere: then the service goes silent here, and its metric tokentrail.journal.size grows.
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end,
    greatest(0, dateDiff('millisecond', u.ts, toDateTime64(u.arrived_at, 9, 'UTC')) - ifNull(u.duration_ms, 0)) / 60000 AS age
SELECT
    if(u.service_name = '', '(none)', u.service_name) AS subject,
    round(quantileExact(0.9)(age), 2) AS value,
    toFloat64({late:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat('of ', toString(count()), ' calls that arrived in ', toString({minutes:UInt16}), ' minutes one of ten had ended more than ',
        toString(value), ' minutes before, the oldest ', toString(round(max(age), 2))) AS detail
FROM ({{queries.selected}}) AS u
WHERE u.arrived_at >= end - toIntervalMinute({minutes:UInt16}) AND u.arrived_at < end AND u.key_kind = 'automatic' AND u.origin = 'recorded'
GROUP BY u.service_name
HAVING count() >= {least_calls:UInt32}
ORDER BY value DESC, subject

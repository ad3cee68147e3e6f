-- title: Of which services records have never arrived
-- asked by: tokentrail check and Grafana's alerts
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The moment of the question, if it is past
-- parameter: days UInt16 = 7 | Of processes that were heard in so many days
-- parameter: records UInt32 = 0 | The threshold
-- unit: records
-- column: subject | The service
-- column: value | Numbers of its processes that never arrived, and that no process has told to be refused or damaged
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- The same numbers that tokentrail verify names. While records arrive, some are on their way: the alert waits for them.
SELECT
    if(service_name = '', '(none)', service_name) AS subject,
    toFloat64(sum(absent)) AS value,
    toFloat64({records:UInt32}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(toInt64(value)), ' records of ', toString(count()), ' processes have never arrived, the latest heard at ',
        toString(max(last_heard)), ' UTC') AS detail
FROM ({{queries.balances}})
WHERE absent > 0 AND last_heard >= least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) - toIntervalDay({days:UInt16})
GROUP BY service_name
ORDER BY value DESC, subject

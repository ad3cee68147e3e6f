-- title: Which records are not understood, and in no sum
-- asked by: tokentrail check and Grafana's alerts
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The moment of the question, if it is past
-- parameter: days UInt16 = 7 | Of records that arrived in so many days
-- parameter: records UInt32 = 0 | The threshold
-- unit: records
-- column: subject | Why they are not understood
-- column: value | Records in quarantine
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
WITH least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end
SELECT
    toString(reason) AS subject,
    toFloat64(count()) AS value,
    toFloat64({records:UInt32}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(count()), ' records of ', arrayStringConcat(arraySlice(arraySort(groupUniqArray(100)(toString(ServiceName))), 1, 5), ', '),
        ' in quarantine, the latest of ', toString(max(arrived_at)), ' UTC') AS detail
FROM quarantine FINAL
WHERE replayed_at IS NULL AND arrived_at >= end - toIntervalDay({days:UInt16})
GROUP BY reason
ORDER BY value DESC, subject

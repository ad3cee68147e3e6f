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
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS moment,
    arrayMap((low, high) -> (toInt64(low) + 1, toInt64(high) - 1), gap_after, gap_before) AS gaps,
    arrayFilter(range -> range != '', arrayFlatten(arrayMap(ranges -> splitByChar(',', ranges), arrayConcat(refused, damaged)))) AS texts,
    arraySort(arrayMap(range -> (toInt64OrZero(splitByChar('-', range)[1]), toInt64OrZero(splitByChar('-', range)[-1])), texts)) AS told,
    -- the same numbers may be told twice: of each range the part that no earlier range has
    arrayMap((range, place) -> (greatest(range.1, arrayMax(arrayMap(before -> before.2, arraySlice(told, 1, place - 1))) + 1), range.2),
        told, arrayEnumerate(told)) AS apart
SELECT
    if(service_name = '', '(none)', service_name) AS subject,
    toFloat64(sum(missing)) AS value,
    toFloat64({records:UInt32}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(toInt64(value)), ' records of ', toString(count()), ' processes have never arrived, the latest heard at ',
        toString(max(last_heard)), ' UTC') AS detail
FROM
(
    SELECT
        service_name,
        last_heard,
        arraySum(arrayMap(gap -> gap.2 - gap.1 + 1
            - arraySum(arrayMap(range -> greatest(0, least(gap.2, range.2) - greatest(gap.1, range.1) + 1), apart)), gaps)) AS missing
    FROM ({{queries.writers_heard}})
    WHERE last_heard >= moment - toIntervalDay({days:UInt16}) AND notEmpty(gap_after)
)
WHERE missing > 0
GROUP BY service_name
ORDER BY value DESC, subject

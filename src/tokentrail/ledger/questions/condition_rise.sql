-- title: Who spends far more tokens than in the same hour of past weeks
-- asked by: tokentrail check and Grafana's alerts
-- parameter: by String = tenant_id | The dimension
-- choices: by | {{each dimensions: $name,}}
-- parameter: minutes UInt16 = 60 | The length of the hour, in minutes
-- parameter: times UInt16 = 3 | The threshold
-- parameter: least_tokens UInt64 = 100000 | Fewer tokens say nothing
-- unit: times the usual tokens
-- column: subject | The dimension's value
-- column: value | The tokens, as a multiple of the usual ones
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- The usual tokens are the median of the same hour one to four weeks before, of those weeks that have any; at least two must. Who has not been seen in
-- two of them has nothing usual: a budget is the condition for those.
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end,
    toIntervalMinute({minutes:UInt16}) AS long
SELECT
    if(name = '', '(none)', name) AS subject,
    round(sumIf(tokens, week = 0) / quantileExactInclusiveIf(0.5)(tokens, week > 0), 2) AS value,
    toFloat64({times:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(sumIf(tokens, week = 0)), ' tokens in ', toString({minutes:UInt16}), ' minutes; usual at this hour: ',
        toString(toInt64(quantileExactInclusiveIf(0.5)(tokens, week > 0)))) AS detail
FROM
(
    SELECT
        multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
        intDiv(toUnixTimestamp64Nano(end) - toUnixTimestamp64Nano(u.ts) - 1, 604800000000000) AS week,
        sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens
    FROM ({{queries.selected}}) AS u
    WHERE (u.ts >= end - long AND u.ts < end)
        OR (u.ts >= end - toIntervalWeek(1) - long AND u.ts < end - toIntervalWeek(1))
        OR (u.ts >= end - toIntervalWeek(2) - long AND u.ts < end - toIntervalWeek(2))
        OR (u.ts >= end - toIntervalWeek(3) - long AND u.ts < end - toIntervalWeek(3))
        OR (u.ts >= end - toIntervalWeek(4) - long AND u.ts < end - toIntervalWeek(4))
    GROUP BY name, week
    HAVING tokens > 0
)
GROUP BY name
HAVING countIf(week > 0) >= 2 AND sumIf(tokens, week = 0) >= {least_tokens:UInt64} AND sumIf(tokens, week = 0) > 0
ORDER BY value DESC, subject

-- title: Where the providers' prompt caches serve less than in the days before
-- asked by: tokentrail check and Grafana's alerts
-- parameter: hours UInt16 = 6 | The hours that are looked at
-- parameter: days UInt16 = 7 | The days before them, which they are held against
-- parameter: points UInt16 = 20 | The threshold
-- parameter: least_calls UInt32 = 50 | Fewer calls, in either, say nothing
-- unit: percent points
-- column: subject | Service and model
-- column: value | By how many points the share of input that the cache has served has fallen
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end,
    end - toIntervalHour({hours:UInt16}) AS middle,
    100 * sumIf(u.cache_read_tokens, u.ts >= middle) / sumIf(u.input_tokens, u.ts >= middle) AS now_share,
    100 * sumIf(u.cache_read_tokens, u.ts < middle) / sumIf(u.input_tokens, u.ts < middle) AS share_before
SELECT
    concat(if(u.service_name = '', '(none)', u.service_name), ' / ', u.model) AS subject,
    round(share_before - now_share, 2) AS value,
    toFloat64({points:UInt16}) AS threshold,
    threshold * 0.8 AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(round(now_share, 1)), ' percent of the input of ', toString(sumIf(u.calls, u.ts >= middle)), ' calls in ',
        toString({hours:UInt16}), ' hours; ', toString(round(share_before, 1)), ' percent in the ', toString({days:UInt16}), ' days before') AS detail
FROM ({{queries.selected}}) AS u
WHERE u.ts >= middle - toIntervalDay({days:UInt16}) AND u.ts < end AND u.cache_read_tokens IS NOT NULL AND u.input_tokens > 0
GROUP BY u.service_name, u.model
HAVING sumIf(u.calls, u.ts >= middle) >= {least_calls:UInt32} AND sumIf(u.calls, u.ts < middle) >= {least_calls:UInt32}
    AND sumIf(u.input_tokens, u.ts >= middle) > 0 AND sumIf(u.input_tokens, u.ts < middle) > 0
ORDER BY value DESC, subject

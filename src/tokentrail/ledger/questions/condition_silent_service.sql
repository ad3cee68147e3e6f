-- title: Which services have gone silent at an hour at which they usually call
-- asked by: tokentrail check and Grafana's alerts
-- parameter: minutes UInt16 = 60 | The threshold: minutes without a call
-- parameter: least_calls UInt32 = 20 | Calls of the same hour a week ago; fewer say nothing
-- unit: minutes
-- column: subject | The service
-- column: value | Minutes since its latest call
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- A service that is not a week old is held against the hour a day ago. A service that is gone for good is forgotten after a week.
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end,
    toIntervalMinute({minutes:UInt16}) AS long,
    sumIf(u.calls, u.ts >= end - toIntervalWeek(1) - long AND u.ts < end - toIntervalWeek(1)) AS week_ago,
    sumIf(u.calls, u.ts >= end - toIntervalDay(1) - long AND u.ts < end - toIntervalDay(1)) AS day_ago,
    if(min(u.ts) >= end - toIntervalWeek(1), day_ago, week_ago) AS usual
SELECT
    if(u.service_name = '', '(none)', u.service_name) AS subject,
    round((toUnixTimestamp64Nano(end) - toUnixTimestamp64Nano(max(u.ts))) / 60000000000, 1) AS value,
    toFloat64({minutes:UInt16}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat('its latest call is of ', formatDateTime(max(u.ts), '%F %T', 'UTC'), ' UTC; ', toString(usual), ' calls at this hour ',
        if(min(u.ts) >= end - toIntervalWeek(1), 'a day', 'a week'), ' ago') AS detail
FROM ({{queries.selected}}) AS u
WHERE u.ts >= end - toIntervalWeek(1) - long AND u.ts < end
GROUP BY u.service_name
HAVING usual >= {least_calls:UInt32} AND usual > 0
ORDER BY value DESC, subject

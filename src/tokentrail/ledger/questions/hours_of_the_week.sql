-- title: When tokens are spent, by weekday and hour
-- asked by: analysts
-- parameter: timezone String = UTC | The zone of days and hours, such as Europe/Madrid
-- unit: tokens and calls
-- column: weekday | 1 is Monday, 7 is Sunday
-- column: hour | The hour of the day, 0 to 23
-- column: tokens | Input and output tokens; NULL where none is known
-- column: calls | Calls
SELECT
    toDayOfWeek(toTimeZone(u.ts, {timezone:String})) AS weekday,
    toHour(toTimeZone(u.ts, {timezone:String})) AS hour,
    sum(if(u.input_tokens IS NULL AND u.output_tokens IS NULL, NULL, ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0))) AS tokens,
    sum(u.calls) AS calls
FROM ({{queries.selected}}) AS u
GROUP BY weekday, hour
ORDER BY weekday, hour

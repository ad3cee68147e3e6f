-- title: Tokens and calls over time
-- asked by: analysts and SREs
-- parameter: step String = day | The length of a step
-- choices: step | hour, day, week, month
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- parameter: timezone String = UTC | The zone of days and hours, such as Europe/Madrid
-- unit: tokens and calls
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
{{each main_counts: -- column: $name | $comment}}
-- column: calls | Calls
-- column: error_calls | Calls that ended with an error
--
-- A step without a call has no row. A week begins on Monday.
WITH {by:String} != 'operation_id' AND {timezone:String} = 'UTC' AND {step:String} != 'hour' AS sums_will_do
SELECT
    multiIf(
        {step:String} = 'hour', toDateTime(toStartOfHour(u.ts, {timezone:String}), {timezone:String}),
        {step:String} = 'day', toDateTime(toStartOfDay(u.ts, {timezone:String}), {timezone:String}),
        {step:String} = 'week', toDateTime(toStartOfWeek(u.ts, 1, {timezone:String}), {timezone:String}),
        toDateTime(toStartOfMonth(u.ts, {timezone:String}), {timezone:String})) AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    {{each main_counts: sum(u.$name) AS $name,}}
    sum(u.calls) AS calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls
FROM ({{queries.selected_by_day}}) AS u
GROUP BY time, name
ORDER BY time, name

-- title: The beginning of a step of time
-- asked by: the questions over time
-- parameter: step String = day | The length of a step
-- choices: step | minute, hour, day, week, month
-- parameter: timezone String = UTC | The zone of days and hours, such as Europe/Madrid
-- unit: no answer of its own
-- columns: none
multiIf(
        {step:String} = 'minute', toDateTime(toStartOfMinute(u.ts, {timezone:String}), {timezone:String}),
        {step:String} = 'hour', toDateTime(toStartOfHour(u.ts, {timezone:String}), {timezone:String}),
        {step:String} = 'day', toDateTime(toStartOfDay(u.ts, {timezone:String}), {timezone:String}),
        {step:String} = 'week', toDateTime(toStartOfWeek(u.ts, 1, {timezone:String}), {timezone:String}),
        toDateTime(toStartOfMonth(u.ts, {timezone:String}), {timezone:String}))

-- title: What has risen or fallen: the last days against as many before them
-- asked by: analysts and SREs
-- parameter: days UInt16 = 7 | How many days are compared with as many before them
-- parameter: by String = model | The dimension
-- choices: by | {{each dimensions: $name,}}
-- unit: tokens and calls
-- column: name | The dimension's value; empty where nobody stated one
-- column: tokens | Input and output tokens of the last days
-- column: tokens_before | The same of the days before them
-- column: tokens_change | The difference
-- column: change | The difference as a share of the days before; NULL where those had none
-- column: calls | Calls of the last days
-- column: calls_before | Calls of the days before them
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end,
    end - toIntervalDay({days:UInt16}) AS middle
SELECT
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.ts >= middle) AS tokens,
    sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.ts < middle) AS tokens_before,
    tokens - tokens_before AS tokens_change,
    if(tokens_before = 0, NULL, round(tokens_change / tokens_before, 4)) AS change,
    sumIf(u.calls, u.ts >= middle) AS calls,
    sumIf(u.calls, u.ts < middle) AS calls_before
FROM ({{queries.selected}}) AS u
WHERE u.ts >= end - toIntervalDay(2 * {days:UInt16}) AND u.ts < end
GROUP BY name
ORDER BY abs(tokens_change) DESC, name

-- title: Calls of the last minutes by provider and model, with those that failed and those that were refused for their rate
-- asked by: the questions condition_error_share and condition_rate_limits
-- parameter: minutes UInt16 = 15 | How many minutes back
-- unit: calls
-- column: provider | Who was called
-- column: model | The model
-- column: made | Calls
-- column: limited | Calls that failed by a limit of rate or quota
-- column: failed | Calls that failed by anything else
-- column: usual_error | The most frequent of those errors
WITH
    least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end,
    u.ended = 'error' AS is_error,
    match(u.error_type, '(?i)^429$|rate.?limit|throttl|resource.?exhausted|too.?many.?requests|quota') AS is_limit
SELECT
    u.provider AS provider,
    u.model AS model,
    sum(u.calls) AS made,
    sumIf(u.calls, is_error AND is_limit) AS limited,
    sumIf(u.calls, is_error AND NOT is_limit) AS failed,
    arraySort(pair -> (-pair.2, pair.1), arrayZip(sumMapIf([toString(u.error_type)], [u.calls], is_error AND NOT is_limit).1 AS names,
        sumMapIf([toString(u.error_type)], [u.calls], is_error AND NOT is_limit).2 AS numbers))[1].1 AS usual_error
FROM ({{queries.selected}}) AS u
WHERE u.ts >= end - toIntervalMinute({minutes:UInt16}) AND u.ts < end
GROUP BY provider, model

-- title: How much of the input the providers' own caches have served over time
-- asked by: analysts
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- unit: tokens
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
-- column: input_tokens | Input tokens of the calls that state whether they used the cache
-- column: cache_read_tokens | Of these, read from the cache
-- column: cache_read_share | The same as a share, from 0 to 1
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    sum(u.input_tokens) AS input_tokens,
    sum(u.cache_read_tokens) AS cache_read_tokens,
    round(cache_read_tokens / nullIf(input_tokens, 0), 4) AS cache_read_share
FROM ({{queries.selected}}) AS u
WHERE u.cache_read_tokens IS NOT NULL OR u.cache_write_tokens IS NOT NULL
GROUP BY time, name
ORDER BY time, name

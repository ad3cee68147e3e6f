-- title: How much of the input the providers' own caches have served
-- asked by: analysts
-- unit: tokens
-- column: provider | Who answered
-- column: model | The model
-- column: calls | Calls that state whether they used the cache
-- column: input_tokens | Their input tokens
-- column: cache_read_tokens | Of these, read from the cache
-- column: cache_read_share | The same as a share, from 0 to 1
-- column: cache_write_tokens | Of the input tokens, those written to the cache
-- column: reads_per_write | How often a written token was read; NULL where the provider states no writes
WITH true AS sums_will_do
SELECT
    u.provider,
    u.model,
    sum(u.calls) AS calls,
    sum(u.input_tokens) AS input_tokens,
    sum(u.cache_read_tokens) AS cache_read_tokens,
    round(cache_read_tokens / nullIf(input_tokens, 0), 4) AS cache_read_share,
    sum(u.cache_write_tokens) AS cache_write_tokens,
    round(cache_read_tokens / nullIf(cache_write_tokens, 0), 2) AS reads_per_write
FROM ({{queries.selected_by_day}}) AS u
WHERE u.cache_read_tokens IS NOT NULL OR u.cache_write_tokens IS NOT NULL
GROUP BY u.provider, u.model
ORDER BY cache_read_tokens DESC, u.provider, u.model

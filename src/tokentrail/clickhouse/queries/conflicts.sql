-- Claimed keys for which different numbers were said at the same rank, or which were given different times of their own (such a key counts more than once).
-- All that was said is listed; `counts` marks what the ledger goes by.
WITH
    said AS
    (
        SELECT
            key_hash, key_ts, rank, numbers,
            min(key) AS key,
            arraySort(groupUniqArrayArray(tenants)) AS tenants,
            min(first_ts) AS first_ts,
            max(last_ts) AS last_ts,
            max(writer_id) AS writer_id,
            max(calls) AS calls,
            max(input_tokens) AS input_tokens,
            max(output_tokens) AS output_tokens,
            max(cache_read_tokens) AS cache_read_tokens,
            max(cache_write_tokens) AS cache_write_tokens,
            max(reasoning_tokens) AS reasoning_tokens
        FROM key_conflicts
        GROUP BY key_hash, key_ts, rank, numbers
    ),
    contested AS
    (
        SELECT key_hash
        FROM said
        GROUP BY key_hash, rank
        HAVING uniqExact(numbers) > 1
        UNION DISTINCT
        SELECT key_hash
        FROM said
        GROUP BY key_hash
        HAVING uniqExact(key_ts) > 1
    ),
    winners AS
    (
        SELECT key_hash, key_ts, calls, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
            least(CAST(input_source, 'Int8'), CAST(output_source, 'Int8')) AS rank
        FROM usage_ledger FINAL
        WHERE key_hash GLOBAL IN (SELECT key_hash FROM contested)
    )
SELECT
    key,
    ['unknown', 'estimated', 'reported'][rank + 1] AS source,
    toBool((key_hash, key_ts, rank, calls, ifNull(input_tokens, -1), ifNull(output_tokens, -1), ifNull(cache_read_tokens, -1), ifNull(cache_write_tokens, -1),
        ifNull(reasoning_tokens, -1)) IN
    (
        SELECT key_hash, key_ts, rank, calls, ifNull(input_tokens, -1), ifNull(output_tokens, -1), ifNull(cache_read_tokens, -1),
            ifNull(cache_write_tokens, -1), ifNull(reasoning_tokens, -1)
        FROM winners
    )) AS counts,
    calls,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    tenants,
    key_ts,
    first_ts,
    last_ts,
    writer_id
FROM said
WHERE key_hash GLOBAL IN (SELECT key_hash FROM contested)
ORDER BY key, rank, first_ts, key_ts, numbers

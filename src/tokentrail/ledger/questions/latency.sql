-- title: How long calls take, by provider and model
-- asked by: SREs
-- unit: milliseconds, and tokens a second
-- column: provider | Who answered
-- column: model | The model
-- column: calls | Calls that ended well, of which a duration is known
-- column: p50_ms | Half of them took at most this long
-- column: p95_ms | 95 of 100 took at most this long
-- column: p99_ms | 99 of 100 took at most this long
-- column: first_chunk_p50_ms | Half of the streams sent their first chunk within this time; NULL: no streams
-- column: first_chunk_p95_ms | 95 of 100 streams did
-- column: tokens_per_second | Output tokens a second of half of the calls, at least; of a stream from its first chunk on
SELECT
    u.provider,
    u.model,
    count() AS calls,
    round(quantile(0.5)(u.duration_ms), 1) AS p50_ms,
    round(quantile(0.95)(u.duration_ms), 1) AS p95_ms,
    round(quantile(0.99)(u.duration_ms), 1) AS p99_ms,
    if(countIf(u.time_to_first_chunk_ms > 0) = 0, NULL, round(quantileIf(0.5)(u.time_to_first_chunk_ms, u.time_to_first_chunk_ms > 0), 1)) AS first_chunk_p50_ms,
    if(countIf(u.time_to_first_chunk_ms > 0) = 0, NULL, round(quantileIf(0.95)(u.time_to_first_chunk_ms, u.time_to_first_chunk_ms > 0), 1)) AS first_chunk_p95_ms,
    round(quantile(0.5)(1000 * u.output_tokens / nullIf(u.duration_ms - ifNull(u.time_to_first_chunk_ms, 0), 0)), 1) AS tokens_per_second
FROM ({{queries.selected}}) AS u
WHERE u.duration_ms > 0 AND u.ended = 'complete'
GROUP BY u.provider, u.model
ORDER BY calls DESC, u.provider, u.model

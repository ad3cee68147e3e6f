-- title: How long calls take over time
-- asked by: SREs
-- parameter: by String = provider | The dimension; total for one row a step
-- choices: by | total, {{each dimensions: $name,}}
-- unit: milliseconds
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
-- column: calls | Calls that ended well, of which a duration is known
-- column: p50_ms | Half of them took at most this long
-- column: p95_ms | 95 of 100 took at most this long
-- column: first_chunk_p50_ms | Half of the streams sent their first chunk within this time; NULL: no streams
-- column: first_chunk_p95_ms | 95 of 100 streams did
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    count() AS calls,
    round(quantile(0.5)(u.duration_ms), 1) AS p50_ms,
    round(quantile(0.95)(u.duration_ms), 1) AS p95_ms,
    if(countIf(u.time_to_first_chunk_ms > 0) = 0, NULL, round(quantileIf(0.5)(u.time_to_first_chunk_ms, u.time_to_first_chunk_ms > 0), 1)) AS first_chunk_p50_ms,
    if(countIf(u.time_to_first_chunk_ms > 0) = 0, NULL, round(quantileIf(0.95)(u.time_to_first_chunk_ms, u.time_to_first_chunk_ms > 0), 1)) AS first_chunk_p95_ms
FROM ({{queries.selected}}) AS u
WHERE u.duration_ms > 0 AND u.ended = 'complete'
GROUP BY time, name
ORDER BY time, name

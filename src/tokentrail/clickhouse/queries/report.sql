-- Tokens and calls by any dimensions of the view `usage`. Sums of NULL alone stay NULL: not stated is not 0.
-- The range of time is half-open, so that neighbouring ranges never count a row twice.
SELECT
    {{dimensions}}
    sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(calls) AS calls,
    sumIf(calls, source = 'reported') AS reported_calls,
    sumIf(calls, source = 'estimated') AS estimated_calls,
    sumIf(calls, source = 'unknown') AS unknown_calls,
    sumIf(calls, ended = 'partial') AS partial_calls,
    sumIf(calls, ended = 'error') AS error_calls
FROM
(
    SELECT *, toDate(ts) AS day, toStartOfHour(ts) AS hour, toStartOfMonth(ts) AS month
    FROM usage
)
WHERE ts >= {from:DateTime64(9, 'UTC')}
    AND ts < {to:DateTime64(9, 'UTC')}
    AND (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant_id))
{{grouping}}
HAVING count() > 0
{{order}}

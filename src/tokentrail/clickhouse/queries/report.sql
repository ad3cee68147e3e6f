-- Tokens and calls by any dimensions of the view `usage`. Sums of NULL alone stay NULL: not stated is not 0.
-- The range of time is half-open, so that neighbouring ranges never count a row twice.
SELECT
    {{dimensions}}
    sum(u.input_tokens) AS input_tokens,
    sum(u.output_tokens) AS output_tokens,
    sum(u.cache_read_tokens) AS cache_read_tokens,
    sum(u.cache_write_tokens) AS cache_write_tokens,
    sum(u.reasoning_tokens) AS reasoning_tokens,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.source = 'reported') AS reported_calls,
    sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
    sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
    sumIf(u.calls, u.ended = 'partial') AS partial_calls,
    sumIf(u.calls, u.ended = 'error') AS error_calls
FROM
(
    SELECT *, toDate(ts) AS day, toStartOfHour(ts) AS hour, toStartOfMonth(ts) AS month
    FROM usage
) AS u
WHERE ts >= {from:DateTime64(9, 'UTC')}
    AND ts < {to:DateTime64(9, 'UTC')}
    AND (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant_id))
{{grouping}}
HAVING count() > 0
{{order}}

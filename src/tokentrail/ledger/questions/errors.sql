-- title: What fails, by provider, model and error
-- asked by: SREs
-- unit: calls
-- column: provider | Who was called
-- column: model | The model
-- column: error_type | An HTTP status or an exception's name
-- column: calls | Calls that failed with it
-- column: share | Of all calls of this provider and model, from 0 to 1
-- column: attempts | HTTP requests that these calls took, with the SDK's retries
-- column: first | The first one, UTC
-- column: latest | The latest one, UTC
SELECT provider, model, error_type, calls, share, attempts, first, latest
FROM
(
    SELECT
        u.provider AS provider,
        u.model AS model,
        u.error_type AS error_type,
        sum(u.calls) AS calls,
        round(calls / nullIf(sum(sum(u.calls)) OVER (PARTITION BY u.provider, u.model), 0), 4) AS share,
        sum(u.attempts) AS attempts,
        min(u.ts) AS first,
        max(u.ts) AS latest,
        u.ended = 'error' AS is_error
    FROM ({{queries.selected}}) AS u
    GROUP BY provider, model, error_type, is_error
)
WHERE is_error
ORDER BY calls DESC, provider, model, error_type

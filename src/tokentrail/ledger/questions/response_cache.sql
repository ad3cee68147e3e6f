-- title: What a cache of responses would have saved: calls whose content an earlier call had already
-- asked by: analysts
-- parameter: lifetime UInt32 = 86400 | Seconds for which the cache would keep an answer
-- unit: calls and tokens
-- column: tenant_id | Whose tokens
-- column: operation | What for
-- column: model | The model
-- column: calls | Calls that ended well and whose content is known by its hash
-- column: repeated_calls | Of these, calls with the content of one that had ended well, at most the lifetime before
-- column: repeated_share | The same as a share, from 0 to 1
-- column: saved_input_tokens | Input tokens of the repeated calls
-- column: saved_output_tokens | Output tokens of the repeated calls
--
-- Calls are equal by tenant, operation, endpoint, requested model and the hash of their texts, which stands in the key. Processes have equal hashes
-- where they share the setting content_hash_secret; without it each process has its own, and only repetitions within a process are found.
-- Only calls whose content may stand there twice (by a short hash, which may name a few too many) are sorted: to sort all took ten times as long.
SELECT
    tenant_id,
    operation,
    model,
    sum(all_calls) AS calls,
    sum(is_repeated) AS repeated_calls,
    round(repeated_calls / calls, 4) AS repeated_share,
    sumIf(input_tokens, is_repeated) AS saved_input_tokens,
    sumIf(output_tokens, is_repeated) AS saved_output_tokens
FROM
(
    SELECT u.tenant_id AS tenant_id, u.operation AS operation, u.model AS model, count() AS all_calls, 0 AS is_repeated, 0 AS input_tokens, 0 AS output_tokens
    FROM ({{queries.selected}}) AS u
    WHERE u.key_kind = 'automatic' AND u.ended = 'complete'
    GROUP BY u.tenant_id, u.operation, u.model
    UNION ALL
    SELECT
        u.tenant_id,
        u.operation,
        u.model,
        0,
        row_number() OVER same > 1 AND u.ts - lagInFrame(u.ts, 1) OVER same <= {lifetime:UInt32},
        ifNull(u.input_tokens, 0),
        ifNull(u.output_tokens, 0)
    FROM ({{queries.selected}}) AS u
    WHERE u.key_kind = 'automatic' AND u.ended = 'complete'
        AND cityHash64(u.tenant_id, u.operation_name, u.endpoint, u.request_model, arrayElement(splitByChar(':', u.idempotency_key), -2)) IN
        (
            SELECT cityHash64(u.tenant_id, u.operation_name, u.endpoint, u.request_model, arrayElement(splitByChar(':', u.idempotency_key), -2)) AS content
            FROM ({{queries.selected}}) AS u
            WHERE u.key_kind = 'automatic' AND u.ended = 'complete'
            GROUP BY content
            HAVING count() > 1
        )
    WINDOW same AS (
        PARTITION BY u.tenant_id, u.operation_name, u.endpoint, u.request_model, arrayElement(splitByChar(':', u.idempotency_key), -2)
        ORDER BY u.ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
GROUP BY tenant_id, operation, model
HAVING repeated_calls > 0
ORDER BY saved_input_tokens + saved_output_tokens DESC, tenant_id, operation, model

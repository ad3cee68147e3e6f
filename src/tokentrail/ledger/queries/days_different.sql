-- title: The days whose sums are not those of the ledger
-- asked by: tokentrail verify
-- unit: tokens and calls
-- column: day | The day, UTC
-- column: tokens | Tokens by the stored sums
-- column: tokens_now | Tokens by the ledger
-- column: calls | Calls by the stored sums
-- column: calls_now | Calls by the ledger
--
-- A day whose stored rows are not those that were built is among them, also where tokens and calls are the same.
WITH
    altered AS
    (
        SELECT fresh.day AS day
        FROM usage_fresh_days AS fresh
        INNER JOIN usage_day_builds AS built ON built.day = fresh.day AND built.build = fresh.build
        LEFT ANY JOIN ({{queries.hashed_days}}) AS stored ON stored.day = fresh.day AND stored.build = fresh.build
        WHERE built.sums != 0 AND built.sums != stored.sums
    )
SELECT day, sumIf(t, stored) AS tokens, sumIf(t, NOT stored) AS tokens_now, sumIf(c, stored) AS calls, sumIf(c, NOT stored) AS calls_now
FROM
(
    SELECT day, ifNull(input_tokens, 0) + ifNull(output_tokens, 0) AS t, d.calls AS c, true AS stored
    FROM usage_daily AS d
    UNION ALL
    SELECT toDate(ts) AS day, ifNull(input_tokens, 0) + ifNull(output_tokens, 0) AS t, u.calls AS c, false AS stored
    FROM usage AS u
    WHERE timed AND toDate(ts) GLOBAL IN (SELECT day FROM usage_fresh_days)
)
GROUP BY day
HAVING tokens != tokens_now OR calls != calls_now OR day GLOBAL IN (SELECT day FROM altered)
ORDER BY day

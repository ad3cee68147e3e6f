-- title: How much of the ledger a removal of tenants takes
-- asked by: tokentrail erase, tokentrail retention
-- unit: usages, calls and tokens
-- column: usages | Usages that count
-- column: calls | Calls
-- column: tokens | Input and output tokens
-- column: first | The earliest of them
-- column: last | The latest of them
SELECT
    count() AS usages,
    sum(u.calls) AS calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
    toString(min(u.ts)) AS first,
    toString(max(u.ts)) AS last
FROM (SELECT *, ts AS key_ts, ts AS event_ts FROM usage) AS u
WHERE {{queries.removed_usages}}

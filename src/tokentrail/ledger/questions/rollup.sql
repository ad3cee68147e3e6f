-- title: Which days are read from their sums, and not call by call
-- asked by: SREs
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- unit: one row a day
-- column: day | The day, UTC. The present day, and days for which something has arrived since, are read from the ledger and are not here
-- column: built_at | When the ledger was read for its sums, UTC
-- column: is_priced | Whether its costs are those of the price lists that are loaded now; else costs are read from the ledger
-- column: calls | Calls whose key states its time, which are summed
-- column: tokens | Input and output tokens of these calls that are known
SELECT
    f.day AS day,
    f.built_at AS built_at,
    f.is_priced AS is_priced,
    sum(d.calls) AS calls,
    sum(ifNull(d.input_tokens, 0) + ifNull(d.output_tokens, 0)) AS tokens
FROM usage_fresh_days AS f
INNER JOIN usage_days AS d ON f.day = d.day AND f.build = d.build
WHERE toDateTime64(f.day, 9, 'UTC') >= {from:DateTime64(9, 'UTC')} AND toDateTime64(f.day, 9, 'UTC') < {to:DateTime64(9, 'UTC')}
GROUP BY day, built_at, is_priced
ORDER BY day DESC

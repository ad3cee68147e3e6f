-- title: A period and the one before it: all of it, and by several dimensions at once
-- asked by: tokentrail report --html, the dashboard of tokentrail serve
-- parameter: dimensions Array(String) = | Of provider, model, tenant_id, operation: those to list beside the total
-- parameter: since DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The beginning of the period; what lies before it, from `from` on, is the period before
-- parameter: until DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The end of the period before, excluded
-- unit: tokens, calls and money
-- column: period | now, or before
-- column: dimension | total, or the dimension
-- column: name | The dimension's value; empty where nobody stated one, and for the total
-- column: currency | The currency of the price; empty: no price
{{each main_counts: -- column: $name | $comment}}
-- column: tokens | Input and output tokens that are known
-- column: calls | Calls
-- column: error_calls | Calls that ended with an error
-- column: estimated_calls | Calls whose weaker count is an estimate
-- column: unknown_calls | Calls of which at least one count is not known: their tokens are in no sum
-- column: unpriced_calls | Calls without a price: in no cost
-- column: cost | What the tokens cost, by the price at the time of each call; NULL: nothing of it has a price
--
-- The numbers are those of the questions tokens and cost. To plan each of these takes longer than to answer it about some thousand calls, and a page
-- would ask them ten times over the same usages.
WITH true AS sums_will_do
SELECT
    if(p.is_now, 'now', 'before') AS period,
    each.1 AS dimension,
    each.2 AS name,
    p.currency AS currency,
    {{each main_counts: sum(p.$name) AS $name,}}
    sum(p.tokens) AS tokens,
    sum(p.calls) AS calls,
    sum(p.error_calls) AS error_calls,
    sum(p.estimated_calls) AS estimated_calls,
    sum(p.unknown_calls) AS unknown_calls,
    sum(p.unpriced_calls) AS unpriced_calls,
    sum(p.cost) AS cost
FROM
(
    SELECT
        u.ts >= {since:DateTime64(9, 'UTC')} AS is_now,
        u.provider AS provider,
        u.model AS model,
        u.tenant_id AS tenant_id,
        u.operation AS operation,
        u.currency AS currency,
        {{each main_counts: sum(u.$name) AS $name,}}
        sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
        sum(u.calls) AS calls,
        sumIf(u.calls, u.ended = 'error') AS error_calls,
        sumIf(u.calls, u.source = 'estimated') AS estimated_calls,
        sumIf(u.calls, u.source = 'unknown') AS unknown_calls,
        sumIf(u.calls, u.cost_state = 'unpriced') AS unpriced_calls,
        sum(u.cost) AS cost
    FROM ({{queries.selected_costs_by_day}}) AS u
    WHERE u.ts >= {since:DateTime64(9, 'UTC')} OR u.ts < {until:DateTime64(9, 'UTC')}
    GROUP BY is_now, provider, model, tenant_id, operation, currency
) AS p
ARRAY JOIN arrayFilter(
    listed -> listed.1 = 'total' OR has({dimensions:Array(String)}, listed.1),
    [
        ('total', ''), ('provider', toString(p.provider)), ('model', toString(p.model)), ('tenant_id', toString(p.tenant_id)),
        ('operation', toString(p.operation))
    ]) AS each
GROUP BY period, dimension, name, currency
ORDER BY period DESC, dimension, tokens DESC, name, currency

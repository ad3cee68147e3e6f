-- title: How much of each budget is spent, and where that leads
-- asked by: analysts and SREs
-- unit: money in the budget's currency, or tokens
-- column: name | The name of the budget
-- column: currency | The currency of the budget and its numbers; empty: a budget in tokens
-- column: amount | What may be spent in a period
-- column: spent | What is spent in the current period: money by the price and the rate of exchange at the time of each call, or input and output tokens
-- column: share | Spent, as a share of the amount
-- column: remaining | The amount without what is spent; negative: overspent
-- column: forecast | What will be spent by the period's end: what is spent, and for the time that is left the average pace since the first usage in as long a time as a period lasts (an hour at least)
-- column: forecast_share | The forecast, as a share of the amount
-- column: burn_1h | The pace of the last hour as a multiple of the pace that spends the amount in a period: at 1 it lasts to the period's end
-- column: burn_6h | The same of the last six hours
-- column: burn_24h | The same of the last 24 hours
-- column: estimated_share | The share of what is spent that is estimated; NULL: nothing is spent
-- column: unpriced_share | The share of the period's tokens that has no price, and so is in no cost; NULL: a budget in tokens, or none are spent
-- column: is_lower_bound | Whether more is spent than is known: calls without a price, or priced in part, or whose tokens nobody knows
-- column: calls | Calls of the period
-- column: priced_calls | Calls whose tokens all have a price
-- column: partly_calls | Calls of which some tokens have a price, or some are not known
-- column: unpriced_calls | Calls without a price
-- column: uncounted_calls | Calls that state no tokens
-- column: period | day, week (from Monday), month, quarter or year
-- column: timezone | The time zone in which a period begins
-- column: begins | The first moment of the period, UTC
-- column: ends | The first moment after it, UTC
-- column: tenants | Only usages of these tenants; empty: of all
-- column: operations | Only usages of these operations; empty: of all
-- column: providers | Only usages of these providers; empty: of all
-- column: models | Only usages of these models; empty: of all
-- column: services | Only usages of these services; empty: of all
-- column: environments | Only usages of these environments; empty: of all
--
-- Usages are summed once for each combination of the budgets' dimensions and of the times between two bounds: the begins of periods, and the beginnings
-- of the last hour, six hours and so on. Budgets then add up these sums, and not the usages. A currency without a rate stops the whole answer.
WITH
    (SELECT least({at:DateTime64(9, 'UTC')}, now64(9, 'UTC'))) AS moment,
    (
        SELECT arraySort(arrayDistinct(arrayConcat(arraySort(groupUniqArrayArray([b.begins, b.pace_begins])),
            arrayMap(hours -> toDateTime(moment - toIntervalHour(hours), 'UTC'), [1, 6, 24]))))
        FROM ({{queries.budget_periods}}) AS b
    ) AS bounds,
    costs AS
    (
        SELECT *, arrayJoin((SELECT arraySort(groupUniqArray(currency)) FROM ({{queries.current_budgets}}))) AS wanted
        FROM usage_cost
        WHERE ts >= (SELECT min(least(b.begins, b.pace_begins, moment - toIntervalHour(24))) FROM ({{queries.budget_periods}}) AS b) AND ts < moment
    )
SELECT
    p.name AS name,
    p.currency AS currency,
    p.amount AS amount,
    if(m.refused = 0, m.spent, 0) AS spent,
    round(toFloat64(m.spent) / toFloat64(p.amount), 4) AS share,
    p.amount - m.spent AS remaining,
    m.spent + toDecimal128(round(toFloat64(m.paced) * greatest(dateDiff('second', moment, p.ends), 0)
        / least(greatest(dateDiff('second', m.first, moment), 3600), dateDiff('second', p.begins, p.ends)), if(p.currency = '', 0, 6)), 6) AS forecast,
    round(toFloat64(forecast) / toFloat64(p.amount), 4) AS forecast_share,
    round(toFloat64(m.spent_1h) / 3600 * length / toFloat64(p.amount), 4) AS burn_1h,
    round(toFloat64(m.spent_6h) / 21600 * length / toFloat64(p.amount), 4) AS burn_6h,
    round(toFloat64(m.spent_24h) / 86400 * length / toFloat64(p.amount), 4) AS burn_24h,
    if(m.spent = 0, NULL, round(toFloat64(m.estimated) / toFloat64(m.spent), 4)) AS estimated_share,
    if(p.currency = '' OR m.tokens = 0, NULL, round(m.unpriced_tokens / m.tokens, 4)) AS unpriced_share,
    (m.unknown_calls > 0 OR (p.currency != '' AND m.unpriced_calls + m.partly_calls > 0)) AS is_lower_bound,
    m.calls AS calls,
    m.priced_calls AS priced_calls,
    m.partly_calls AS partly_calls,
    m.unpriced_calls AS unpriced_calls,
    m.uncounted_calls AS uncounted_calls,
    p.period AS period,
    p.timezone AS timezone,
    p.begins AS begins,
    p.ends AS ends,
    p.tenants AS tenants,
    p.operations AS operations,
    p.providers AS providers,
    p.models AS models,
    p.services AS services,
    p.environments AS environments
FROM (SELECT *, dateDiff('second', begins, ends) AS length FROM ({{queries.budget_periods}})) AS p
LEFT JOIN
(
    SELECT
        b.name AS name,
        sumIf(g.spent, g.slice >= indexOf(bounds, b.begins)) AS spent,
        sumIf(g.spent, g.slice >= indexOf(bounds, b.pace_begins)) AS paced,
        sumIf(g.spent, g.slice >= indexOf(bounds, toDateTime(moment - toIntervalHour(1), 'UTC'))) AS spent_1h,
        sumIf(g.spent, g.slice >= indexOf(bounds, toDateTime(moment - toIntervalHour(6), 'UTC'))) AS spent_6h,
        sumIf(g.spent, g.slice >= indexOf(bounds, toDateTime(moment - toIntervalHour(24), 'UTC'))) AS spent_24h,
        sumIf(g.estimated, g.slice >= indexOf(bounds, b.begins)) AS estimated,
        sumIf(g.tokens, g.slice >= indexOf(bounds, b.begins)) AS tokens,
        sumIf(g.unpriced_tokens, g.slice >= indexOf(bounds, b.begins)) AS unpriced_tokens,
        sumIf(g.calls, g.slice >= indexOf(bounds, b.begins)) AS calls,
        sumIf(g.unknown_calls, g.slice >= indexOf(bounds, b.begins)) AS unknown_calls,
        sumIf(g.priced_calls, g.slice >= indexOf(bounds, b.begins)) AS priced_calls,
        sumIf(g.partly_calls, g.slice >= indexOf(bounds, b.begins)) AS partly_calls,
        sumIf(g.unpriced_calls, g.slice >= indexOf(bounds, b.begins)) AS unpriced_calls,
        sumIf(g.uncounted_calls, g.slice >= indexOf(bounds, b.begins)) AS uncounted_calls,
        throwIf(sum(g.without_rate) > 0, 'a price has no rate of exchange at the time of a call: tokentrail query currencies names it') AS refused,
        minIf(g.first, g.slice >= indexOf(bounds, b.pace_begins)) AS first
    FROM ({{queries.budget_periods}}) AS b
    INNER JOIN
    (
        SELECT
            u.wanted AS wanted, u.tenant_id AS tenant_id, u.operation_name AS operation_name, u.provider AS provider, u.model AS model,
            u.service_name AS service_name, u.environment AS environment,
            arrayCount(bound -> u.ts >= bound, bounds) AS slice,
            min(u.ts) AS first,
            sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
            if(u.wanted = '', toDecimal128(tokens, 18), sum(ifNull(u.cost, 0))) AS spent,
            if(u.wanted = '',
                toDecimal128(sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.source = 'estimated'), 18),
                sumIf(ifNull(u.cost, 0), u.source = 'estimated')) AS estimated,
            sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.cost_state = 'unpriced') AS unpriced_tokens,
            sum(u.calls) AS calls,
            sumIf(u.calls, u.source = 'unknown' AND u.ended != 'error') AS unknown_calls,
            sumIf(u.calls, u.cost_state = 'priced') AS priced_calls,
            sumIf(u.calls, u.cost_state = 'partly') AS partly_calls,
            sumIf(u.calls, u.cost_state = 'unpriced') AS unpriced_calls,
            sumIf(u.calls, u.cost_state = 'uncounted') AS uncounted_calls,
            countIf(u.has_no_rate) AS without_rate
        FROM
        ({{queries.converted}}) AS u
        GROUP BY wanted, tenant_id, operation_name, provider, model, service_name, environment, slice
    ) AS g ON b.currency = g.wanted
    WHERE (empty(b.tenants) OR has(b.tenants, g.tenant_id))
        AND (empty(b.operations) OR has(b.operations, g.operation_name))
        AND (empty(b.providers) OR has(b.providers, g.provider))
        AND (empty(b.models) OR has(b.models, g.model))
        AND (empty(b.services) OR has(b.services, g.service_name))
        AND (empty(b.environments) OR has(b.environments, g.environment))
    GROUP BY b.name
) AS m ON m.name = p.name
ORDER BY forecast_share DESC, name

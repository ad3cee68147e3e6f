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
-- Days that are stored as sums are taken as such if they have no bound within, nothing to be converted (which is done call by call), and are not the day
-- of a budget's first usage, of which the moment counts. So a month costs what two or three days cost.
WITH
    (SELECT least({at:DateTime64(9, 'UTC')}, now64(9, 'UTC'))) AS moment,
    (SELECT arraySort(groupUniqArray(currency)) FROM ({{queries.current_budgets}})) AS currencies,
    (
        SELECT arraySort(arrayDistinct(arrayConcat(arraySort(groupUniqArrayArray([b.begins, b.pace_begins])),
            arrayMap(hours -> toDateTime(moment - toIntervalHour(hours), 'UTC'), if(count() = 0, [0], [1, 6, 24])))))
        FROM ({{queries.budget_periods}}) AS b
    ) AS bounds,
    periods AS
    (
        SELECT
            *,
            indexOf(bounds, begins) AS of_period,
            indexOf(bounds, pace_begins) AS of_pace,
            indexOf(bounds, toDateTime(moment - toIntervalHour(1), 'UTC')) AS of_1h,
            indexOf(bounds, toDateTime(moment - toIntervalHour(6), 'UTC')) AS of_6h,
            indexOf(bounds, toDateTime(moment - toIntervalHour(24), 'UTC')) AS of_24h
        FROM ({{queries.budget_periods}})
    ),
    (
        SELECT arraySort(groupUniqArray((day, build)))
        FROM (SELECT *, toDateTime(day, 'UTC') AS midnight, midnight + toIntervalDay(1) AS next FROM usage_fresh_days WHERE is_priced)
        WHERE midnight >= bounds[1] AND next <= moment AND NOT arrayExists(bound -> bound > midnight AND bound < next, bounds)
    ) AS whole_days,
    sums AS (SELECT *, toDateTime(day, 'UTC') AS midnight FROM usage_days WHERE day >= toDate(bounds[1]) AND has(whole_days, (day, build))),
    (
        SELECT arraySort(arrayDistinct(arrayConcat(arraySort(groupUniqArray(first_day)), arraySort(groupUniqArrayArray(converted_days)))))
        FROM
        (
            SELECT min(g.first_day) AS first_day, arraySort(groupUniqArrayArray(if(b.currency = '' OR b.currency = g.currency, [], g.days))) AS converted_days
            FROM periods AS b
            CROSS JOIN
            (
                SELECT
                    tenant_id, operation_name, provider, model, service_name, environment, currency,
                    arrayCount(bound -> midnight >= bound, bounds) AS slice,
                    min(day) AS first_day,
                    if(currency = '' OR arrayAll(wanted -> wanted = '' OR wanted = currency, currencies), [], arraySort(groupUniqArray(day))) AS days
                FROM sums
                GROUP BY tenant_id, operation_name, provider, model, service_name, environment, currency, slice
            ) AS g
            WHERE g.slice >= b.of_pace AND {{queries.budget_fits}}
            GROUP BY b.name
        )
    ) AS days_by_call,
    costs AS
    (
        SELECT *, input_cost + output_cost + call_cost AS cost, arrayJoin(currencies) AS wanted
        FROM
        (
            SELECT
                toDateTime64(midnight, 9, 'UTC') AS ts, least(CAST(input_source, 'Int8'), CAST(output_source, 'Int8')) AS of_source, ended_name, cost_state AS state,
                tenant_id, operation_name, provider, model, service_name, environment, calls, input_tokens, output_tokens,
                input_cost, output_cost, call_cost, currency
            FROM sums
            WHERE NOT has(days_by_call, day)
            UNION ALL
            SELECT
                ts, CAST(source, 'Int8') AS of_source, toLowCardinality(toString(ended)) AS ended_name, toLowCardinality(toString(cost_state)) AS state,
                tenant_id, operation_name, provider, model, service_name, environment, calls, input_tokens, output_tokens,
                input_cost, output_cost, call_cost, currency
            FROM usage_cost
            WHERE ts >= bounds[1] AND ts < moment
                AND NOT (timed AND toDate(ts) GLOBAL IN (SELECT arrayJoin(arrayFilter(day -> NOT has(days_by_call, day), whole_days.1))))
        )
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
FROM (SELECT *, dateDiff('second', begins, ends) AS length FROM periods) AS p
LEFT JOIN
(
    SELECT
        b.name AS name,
        sumIf(g.spent, g.slice >= b.of_period) AS spent,
        sumIf(g.spent, g.slice >= b.of_pace) AS paced,
        sumIf(g.spent, g.slice >= b.of_1h) AS spent_1h,
        sumIf(g.spent, g.slice >= b.of_6h) AS spent_6h,
        sumIf(g.spent, g.slice >= b.of_24h) AS spent_24h,
        sumIf(g.estimated, g.slice >= b.of_period) AS estimated,
        sumIf(g.tokens, g.slice >= b.of_period) AS tokens,
        sumIf(g.unpriced_tokens, g.slice >= b.of_period) AS unpriced_tokens,
        sumIf(g.calls, g.slice >= b.of_period) AS calls,
        sumIf(g.unknown_calls, g.slice >= b.of_period) AS unknown_calls,
        sumIf(g.priced_calls, g.slice >= b.of_period) AS priced_calls,
        sumIf(g.partly_calls, g.slice >= b.of_period) AS partly_calls,
        sumIf(g.unpriced_calls, g.slice >= b.of_period) AS unpriced_calls,
        sumIf(g.uncounted_calls, g.slice >= b.of_period) AS uncounted_calls,
        throwIf(sum(g.without_rate) > 0, 'a price has no rate of exchange at the time of a call: tokentrail query currencies names it') AS refused,
        minIf(g.first, g.slice >= b.of_pace) AS first
    FROM periods AS b
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
                toDecimal128(sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.of_source = 1), 18),
                sumIf(ifNull(u.cost, 0), u.of_source = 1)) AS estimated,
            sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.state = 'unpriced') AS unpriced_tokens,
            sum(u.calls) AS calls,
            sumIf(u.calls, u.of_source = 0 AND u.ended_name != 'error') AS unknown_calls,
            sumIf(u.calls, u.state = 'priced') AS priced_calls,
            sumIf(u.calls, u.state = 'partly') AS partly_calls,
            sumIf(u.calls, u.state = 'unpriced') AS unpriced_calls,
            sumIf(u.calls, u.state = 'uncounted') AS uncounted_calls,
            countIf(u.has_no_rate) AS without_rate
        FROM
        ({{queries.converted}}) AS u
        GROUP BY wanted, tenant_id, operation_name, provider, model, service_name, environment, slice
    ) AS g ON b.currency = g.wanted
    WHERE {{queries.budget_fits}}
    GROUP BY b.name
) AS m ON m.name = p.name
ORDER BY forecast_share DESC, name

-- title: Charges of each hour, day or month, by class of tokens: the rows of an export to FinOps tools
-- asked by: analysts, tokentrail export focus
-- parameter: step String = day | The time that a charge is for
-- choices: step | hour, day, month
-- parameter: currency String = | The currency of all costs, by the rate of exchange at the time of each call; empty: that of each price
-- unit: money, and tokens, calls or hours
-- column: begins | The first moment, UTC
-- column: ends | The first moment after it, UTC
-- column: provider | Who answers
-- column: model | The model that answered, or the requested one
-- column: tenant_id | The tenant; empty where nobody stated one
-- column: operation | The operation
-- column: service_name | The service
-- column: environment | The environment
-- column: meter | The class of tokens: the name of the rate; call, hour
-- column: quantity | Tokens, calls or hours
-- column: unit_price | The price of a million tokens, a call or an hour, in the currency
-- column: cost | What they cost
-- column: currency | The currency of the cost
-- column: price_currency | The currency of the price
-- column: price_unit_price | The price of a million tokens, a call or an hour, in that currency
-- column: price_cost | What they cost, in that currency
-- column: price_source | Whose price
-- column: price_model | What the list calls the model
-- column: is_batch | Whether they are results of a batch
-- column: is_correction | Whether a correction takes back, or adds, what was counted before
-- column: estimated_cost | Of the cost, that of calls whose weaker count is an estimate
--
-- The costs of a call's classes are cut to 18 digits each, and what that leaves of the call's cost is in its first class: so the sums are those of the
-- question cost. What has no price has no charge.
WITH
    costs AS (SELECT *, {currency:String} AS wanted FROM ({{queries.selected_costs}}) WHERE notEmpty(charges)),
    ((cost, factor, divisor) -> toDecimal128(toDecimal256(cost, 18) * toDecimal256(factor, 18) / divisor, 18)) AS exchanged
SELECT
    multiIf({step:String} = 'hour', toStartOfHour(toDateTime(s.ts, 'UTC')), {step:String} = 'day', toStartOfDay(toDateTime(s.ts, 'UTC')),
        toDateTime(toStartOfMonth(toDateTime(s.ts, 'UTC')), 'UTC')) AS begins,
    multiIf({step:String} = 'hour', begins + toIntervalHour(1), {step:String} = 'day', begins + toIntervalDay(1), begins + toIntervalMonth(1)) AS ends,
    s.provider AS provider,
    s.model AS model,
    s.tenant_id AS tenant_id,
    s.operation_name AS operation,
    s.service_name AS service_name,
    s.environment AS environment,
    charge.1 AS meter,
    sum(charge.2) AS quantity,
    if(s.is_other, exchanged(charge.3, s.factor, s.divisor), charge.3) AS unit_price,
    if(throwIf(max(s.has_no_rate), 'a price has no rate of exchange at the time of a call: tokentrail query currencies names it') = 0,
        sum(charge_cost + if(place = 1, s.rest, toDecimal128(0, 18))), NULL) AS cost,
    s.currency AS currency,
    s.paid_in AS price_currency,
    charge.3 AS price_unit_price,
    sum(charge.4 + if(place = 1, s.price_rest, toDecimal128(0, 18))) AS price_cost,
    s.price_source AS price_source,
    s.price_model AS price_model,
    s.endpoint = 'batch' AS is_batch,
    s.corrects_key != '' AS is_correction,
    ifNull(sumIf(charge_cost + if(place = 1, s.rest, toDecimal128(0, 18)), s.source = 'estimated'), toDecimal128(0, 18)) AS estimated_cost
FROM
(
    SELECT
        *,
        arrayMap(each -> if(is_other, exchanged(each.4, factor, divisor), each.4), charges) AS charge_costs,
        cost - arraySum(charge_costs) AS rest,
        paid - arraySum(charges.4) AS price_rest
    FROM ({{queries.converted}}) AS u
) AS s
ARRAY JOIN s.charges AS charge, s.charge_costs AS charge_cost, arrayEnumerate(s.charges) AS place
GROUP BY begins, ends, provider, model, tenant_id, operation, service_name, environment, meter, unit_price, currency, price_currency, price_unit_price, price_source, price_model,
    is_batch, is_correction
ORDER BY begins, provider, model, tenant_id, operation, service_name, environment, meter, unit_price, currency, price_currency, price_source, price_model,
    is_batch, is_correction

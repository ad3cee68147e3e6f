-- title: What it costs over time
-- asked by: analysts
-- parameter: by String = provider | The dimension; total for one row a step and currency
-- choices: by | total, {{each dimensions: $name,}}
-- unit: money, and calls
-- column: time | The beginning of the step
-- column: name | The dimension's value; empty where nobody stated one
-- column: currency | The currency of the price; empty: no price
-- column: cost | What the tokens cost, by the price at the time of each call; NULL: nothing of it has a price
-- column: calls | Calls
-- column: unpriced_calls | Calls without a price: in no cost
--
-- A step without a call has no row. A week begins on Monday.
SELECT
    {{queries.step}} AS time,
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    u.currency AS currency,
    sum(u.cost) AS cost,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.cost_state = 'unpriced') AS unpriced_calls
FROM ({{queries.selected_costs}}) AS u
GROUP BY time, name, currency
ORDER BY time, name, currency

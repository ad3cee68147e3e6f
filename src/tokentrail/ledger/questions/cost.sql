-- title: What it costs, by one dimension
-- asked by: analysts
-- parameter: by String = model | The dimension; total for one row a currency
-- choices: by | {{each dimensions: $name,}} total
-- parameter: currency String = | The currency of all costs, by the rate of exchange at the time of each call; empty: that of each price
-- unit: money, and calls
-- column: name | The dimension's value; empty where nobody stated one
-- column: currency | The currency of the price, or the one that is asked for; empty: no price
-- column: cost | What the tokens cost, by the price at the time of each call; NULL: nothing of it has a price
-- column: input_cost | Of this, input
-- column: output_cost | Of this, output
-- column: calls | Calls
-- column: priced_calls | Calls whose tokens all have a price
-- column: partly_calls | Calls of which some tokens have a price, or some are not known: a lower bound
-- column: unpriced_calls | Calls without a price: in no cost
-- column: uncounted_calls | Calls that state no tokens: in no cost
-- column: estimated_cost | Of the cost, that of calls whose weaker count is an estimate
--
-- A price in a currency without a rate at the time of a call stops the whole answer: such a cost is neither 0 nor left out.
WITH costs AS (SELECT *, {currency:String} AS wanted FROM ({{queries.selected_costs}}))
SELECT
    multiIf({{each dimensions: {by:String} = '$name', toString(u.$name), }}'') AS name,
    u.currency AS currency,
    if(throwIf(max(u.has_no_rate), 'a price has no rate of exchange at the time of a call: tokentrail query currencies names it') = 0, sum(u.cost), NULL) AS cost,
    sum(u.input_cost) AS input_cost,
    sum(u.output_cost) AS output_cost,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.cost_state = 'priced') AS priced_calls,
    sumIf(u.calls, u.cost_state = 'partly') AS partly_calls,
    sumIf(u.calls, u.cost_state = 'unpriced') AS unpriced_calls,
    sumIf(u.calls, u.cost_state = 'uncounted') AS uncounted_calls,
    sumIf(u.cost, u.source = 'estimated') AS estimated_cost
FROM ({{queries.converted}}) AS u
GROUP BY name, currency
ORDER BY cost DESC NULLS LAST, calls DESC, name, currency

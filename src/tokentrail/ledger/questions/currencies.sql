-- title: Which currencies prices are in, and which of them have no rate of exchange
-- asked by: analysts
-- parameter: currency String = USD | The currency to convert to
-- unit: money, and calls
-- column: currency | The currency of the prices
-- column: cost | What is paid in it
-- column: calls | Calls with such a price
-- column: calls_without_rate | Of these, calls at a time at which this currency, or the one to convert to, has no rate of exchange
-- column: first_without_rate | The first of them, UTC; NULL: each has a rate
-- column: last_without_rate | The last of them, UTC
-- column: rates_from | From when on the currency has a rate, UTC; NULL: never
WITH costs AS (SELECT *, {currency:String} AS wanted FROM ({{queries.selected_costs}}) WHERE currency != '')
SELECT
    s.currency AS currency,
    s.cost AS cost,
    s.calls AS calls,
    s.calls_without_rate AS calls_without_rate,
    s.first_without_rate AS first_without_rate,
    s.last_without_rate AS last_without_rate,
    r.rates_from AS rates_from
FROM
(
    SELECT
        toString(u.paid_in) AS currency,
        sum(u.paid) AS cost,
        sum(u.calls) AS calls,
        sumIf(u.calls, u.has_no_rate) AS calls_without_rate,
        minOrNullIf(u.ts, u.has_no_rate) AS first_without_rate,
        maxOrNullIf(u.ts, u.has_no_rate) AS last_without_rate
    FROM ({{queries.converted}}) AS u
    GROUP BY currency
) AS s
LEFT JOIN (SELECT currency, toNullable(min(valid_from)) AS rates_from FROM currency_rates GROUP BY currency) AS r ON r.currency = s.currency
ORDER BY calls_without_rate DESC, cost DESC, currency

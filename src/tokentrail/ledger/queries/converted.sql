-- title: Costs in the currency that is wanted, by the rate of exchange at the time of each call
-- asked by: the questions about money
-- unit: no answer of its own
-- columns: none
--
-- Reads costs, which the query around it has: rows of usage_cost and the column wanted, a currency, or empty for that of the price. A cost is multiplied
-- before it is divided, in decimals of 76 digits, and cut to 18 after the point. has_no_rate: a cost that cannot be converted; who reads this has to refuse it.
SELECT * REPLACE (input_cost + output_cost + call_cost AS cost)
FROM
(
    SELECT
        c.* REPLACE
        (
            if(is_other, toDecimal128(toDecimal256(c.input_cost, 18) * toDecimal256(f.usd, 18) / divisor, 18), c.input_cost) AS input_cost,
            if(is_other, toDecimal128(toDecimal256(c.output_cost, 18) * toDecimal256(f.usd, 18) / divisor, 18), c.output_cost) AS output_cost,
            if(is_other, toDecimal128(toDecimal256(c.call_cost, 18) * toDecimal256(f.usd, 18) / divisor, 18), c.call_cost) AS call_cost,
            if(is_other, c.wanted, toString(c.currency)) AS currency
        ),
        c.wanted != '' AND c.currency != '' AND c.currency != c.wanted AS is_other,
        is_other AND c.cost IS NOT NULL AND (f.usd = 0 OR t.usd = 0) AS has_no_rate,
        if(t.usd = 0, toDecimal128(1, 18), t.usd) AS divisor,
        if(is_other, f.usd, divisor) AS factor,
        c.currency AS paid_in,
        c.cost AS paid
    FROM costs AS c
    LEFT ASOF JOIN currency_rates AS f ON toString(c.currency) = f.currency AND c.ts >= f.valid_from
    LEFT ASOF JOIN currency_rates AS t ON c.wanted = t.currency AND c.ts >= t.valid_from
)

-- title: What the ledger charges for a model by class of tokens
-- asked by: tokentrail reconcile
-- parameter: currency String | The currency
-- parameter: requested Array(String) | The models that were asked for
-- parameter: answered Array(String) | The models that answered
-- unit: tokens and money
-- column: meter | The class of tokens, as the price list names its rate
-- column: quantity | So many tokens, calls or hours
-- column: unit_price | Their rate, for a million tokens, a call or an hour
-- column: cost | What they cost
SELECT
    each.1 AS meter,
    sum(each.2) AS quantity,
    each.3 AS unit_price,
    sum(each.4) AS cost
FROM
(
    SELECT arrayJoin(charges) AS each
    FROM usage_cost
    {{queries.filters}}
        AND currency = {currency:String} AND has({requested:Array(String)}, request_model) AND has({answered:Array(String)}, response_model)
)
GROUP BY meter, unit_price
ORDER BY meter, unit_price

-- When which price is valid of every model that was called, resolved once for each provider and model, and not for each call: regular expressions are
-- dear. In the order in which prices are tried: own ones first, those of the model that answered before those of the requested one, then as in the list.
-- Which models were called is read from the sums of the days that have any, and from the ledger for all else, so that a cost of today reads no old day.
-- A public list fits by its first model alone. A date without dashes in a model's name is tried with dashes too, as public lists write dates.
CREATE OR REPLACE VIEW model_prices
(
    provider       LowCardinality(String) COMMENT 'Who answers',
    request_model  LowCardinality(String) COMMENT 'The model that is asked for',
    response_model LowCardinality(String) COMMENT 'The model that answers, as it names itself',
    prices         Array(Tuple(valid_from DateTime('UTC'), valid_to DateTime('UTC'), daily_from UInt32, daily_to UInt32, batch Bool, above Int64, id UInt64))
        COMMENT 'The prices that fit, in the order in which they are tried: the first one that is valid counts'
)
AS
WITH
    (name -> replaceRegexpAll(name, '-(20[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])(-|:|$)', '-\\1-\\2-\\3\\4')) AS dashed,
    called AS
    (
        SELECT DISTINCT provider, request_model, response_model FROM usage_days
        UNION DISTINCT
        SELECT DISTINCT provider, request_model, response_model FROM usage_ledger
        WHERE toDate(key_ts) GLOBAL NOT IN (SELECT day FROM usage_fresh_days)
        UNION DISTINCT
        SELECT DISTINCT provider, request_model, response_model FROM usage_ledger PREWHERE key_kind = 'object'
    ),
    latest AS (SELECT source, max(version) AS version FROM prices GROUP BY source),
    fitting AS
    (
        SELECT
            named.provider AS provider, named.request_model AS request_model, named.response_model AS response_model,
            (p.source != 'own', p.source, named.candidate.1, p.place) AS rank,
            (p.source, if(p.source = 'own', 0, named.candidate.1), if(p.source = 'own', 0, p.entry)) AS of_list,
            (p.valid_from, p.valid_to, p.daily_from, p.daily_to, p.batch, p.above, p.id) AS price
        FROM
        (
            SELECT
                provider, request_model, response_model,
                arrayJoin(arrayDistinct(['*', toString(provider)])) AS listed,
                arrayJoin(arrayFilter(each -> each.2 != '', [
                    (1, lower(toString(response_model))), (2, dashed(lower(toString(response_model)))),
                    (3, lower(toString(request_model))), (4, dashed(lower(toString(request_model))))])) AS candidate
            FROM called
        ) AS named
        INNER JOIN prices AS p ON p.provider = named.listed
        WHERE (p.source, p.version) GLOBAL IN (SELECT source, version FROM latest)
            AND arrayAll(pattern -> match(named.candidate.2, pattern), p.patterns)
            AND NOT arrayExists(pattern -> match(named.candidate.2, pattern), p.excluded)
    )
SELECT provider, request_model, response_model, arrayMap(each -> each.2, arraySort(groupArray((first_rank, price)))) AS prices
FROM
(
    SELECT provider, request_model, response_model, price, min(rank) AS first_rank
    FROM
    (
        SELECT *, min(of_list) OVER (PARTITION BY provider, request_model, response_model, of_list.1) AS first_of_list
        FROM fitting
    )
    WHERE of_list = first_of_list
    GROUP BY provider, request_model, response_model, price
)
GROUP BY provider, request_model, response_model
COMMENT 'When which price is valid of every model that was called';

-- What a currency is worth, from when on, by the latest list of each source that has rates. A US dollar is one.
CREATE OR REPLACE VIEW currency_rates
(
    currency   String COMMENT 'ISO 4217',
    valid_from DateTime64(9, 'UTC') COMMENT 'From when on, until the next rate of the currency',
    usd        Decimal(38, 18) COMMENT 'What one unit of the currency is worth in US dollars'
)
AS
SELECT toString(e.currency) AS currency, toDateTime64(e.valid_from, 9, 'UTC') AS valid_from, e.usd AS usd
FROM exchange_rates AS e
WHERE (e.source, e.version) GLOBAL IN (SELECT source, max(version) FROM exchange_rates GROUP BY source) AND e.currency != 'USD'
UNION ALL
SELECT 'USD' AS currency, toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AS valid_from, toDecimal128(1, 18) AS usd
COMMENT 'What currencies are worth in US dollars, and from when on';

-- Prices as data: every list that was ever loaded, of which the latest of each source counts. On a cluster every node has all of them.
CREATE TABLE IF NOT EXISTS prices{{on_cluster}}
(
    source      LowCardinality(String) COMMENT 'Whose list: own, or the name of a public one',
    version     UInt64 COMMENT 'The number of the list among those of its source: the latest counts',
    loaded_at   DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the list was loaded',
    place       UInt32 COMMENT 'The place of the price in its list: of prices that fit a call the first counts',
    entry       UInt32 COMMENT 'The number of the model in its list; the prices of a model are valid at different times',
    provider    LowCardinality(String) COMMENT 'Who answers; * for anybody',
    model       String COMMENT 'What the list calls the model',
    patterns    Array(String) COMMENT 'Regular expressions: the lower-case model fits all of them',
    excluded    Array(String) COMMENT 'Regular expressions: the lower-case model fits none of them',
    valid_from  DateTime('UTC') COMMENT 'The first moment of the price',
    valid_to    DateTime('UTC') COMMENT 'The first moment after it',
    daily_from  UInt32 COMMENT 'Second of the day (UTC) from which the price holds',
    daily_to    UInt32 COMMENT 'Second of the day (UTC) until which it holds; not above daily_from: over midnight',
    batch       Bool COMMENT 'Whether the price is that of results of a batch',
    currency    LowCardinality(String) COMMENT 'ISO 4217',
    above       Int64 COMMENT 'The price holds for calls with more input tokens than this, and then for all of their tokens',
    {{each rates: $name Nullable(Decimal(38, 18)) COMMENT '$literal',}}
    note        String COMMENT 'What the list says of the price, and what it leaves out',
    id          UInt64 MATERIALIZED sipHash64(source, version, place) COMMENT 'By which a usage finds its price'
)
ENGINE = {{everywhere.prices}}
ORDER BY (source, version, place)
COMMENT 'Prices of tokens and calls, with the time in which they are valid';

CREATE TABLE IF NOT EXISTS exchange_rates{{on_cluster}}
(
    source      LowCardinality(String) COMMENT 'Whose list',
    version     UInt64 COMMENT 'The number of the list among those of its source: the latest counts',
    loaded_at   DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the list was loaded',
    currency    LowCardinality(String) COMMENT 'ISO 4217',
    valid_from  DateTime('UTC') COMMENT 'From when on',
    usd         Decimal(38, 18) COMMENT 'What one unit of the currency is worth in US dollars'
)
ENGINE = {{everywhere.exchange_rates}}
ORDER BY (source, version, currency, valid_from)
COMMENT 'What currencies are worth, with the time from which they are';

-- Sums by day, for questions about many days (`tokentrail rollup`). A day's sums are written under the number of a build and count once the build is
-- listed; neither is changed afterwards. Which builds say what the ledger says is found out at each question: definitions/usage_fresh_days.sql.
CREATE TABLE IF NOT EXISTS usage_days{{on_cluster}}
(
    day                    Date COMMENT 'The day of the keys'' times, UTC' CODEC(ZSTD(1)),
    build                  UInt64 COMMENT 'The number of the build, see usage_day_builds' CODEC(ZSTD(1)),
    provider               LowCardinality(String) COMMENT 'Who answered' CODEC(ZSTD(1)),
    model                  LowCardinality(String) COMMENT 'The model that answered, or the requested one' CODEC(ZSTD(1)),
    request_model          LowCardinality(String) COMMENT 'The model that was asked for' CODEC(ZSTD(1)),
    response_model         LowCardinality(String) COMMENT 'The model that answered' CODEC(ZSTD(1)),
    model_family           LowCardinality(String) COMMENT 'The model''s family' CODEC(ZSTD(1)),
    tenant_id              LowCardinality(String) COMMENT 'Whose tokens these are' CODEC(ZSTD(1)),
    operation_name         LowCardinality(String) COMMENT 'The operation as it was given' CODEC(ZSTD(1)),
    token_type_name        LowCardinality(String) COMMENT 'What kind of tokens, as a word of the vocabulary' CODEC(ZSTD(1)),
    endpoint               LowCardinality(String) COMMENT 'The kind of call' CODEC(ZSTD(1)),
    gen_ai_operation       LowCardinality(String) COMMENT 'The operation''s name in the GenAI conventions' CODEC(ZSTD(1)),
    ended_name             LowCardinality(String) COMMENT 'How the calls ended, as a word of the vocabulary' CODEC(ZSTD(1)),
    error_type             LowCardinality(String) COMMENT 'What ended the calls with an error' CODEC(ZSTD(1)),
    tokenizer              LowCardinality(String) COMMENT 'What counted an estimate' CODEC(ZSTD(1)),
    server_address         LowCardinality(String) COMMENT 'The host that was called' CODEC(ZSTD(1)),
    service_name           LowCardinality(String) COMMENT 'The service that made the calls' CODEC(ZSTD(1)),
    service_version        LowCardinality(String) COMMENT 'Its version' CODEC(ZSTD(1)),
    environment            LowCardinality(String) COMMENT 'Its deployment environment' CODEC(ZSTD(1)),
    origin_name            LowCardinality(String) COMMENT 'Who told of the calls, as a word of the vocabulary' CODEC(ZSTD(1)),
    instrumentation        LowCardinality(String) COMMENT 'The instrumentation scope of bridged usages' CODEC(ZSTD(1)),
    input_source           {{Source.type}} COMMENT 'Where the input counts come from' CODEC(ZSTD(1)),
    output_source          {{Source.type}} COMMENT 'Where the output counts come from' CODEC(ZSTD(1)),
    key_kind               {{KeyKind.type}} COMMENT 'Who made the keys' CODEC(ZSTD(1)),
    stream                 Bool COMMENT 'Whether streams were asked for' CODEC(ZSTD(1)),
    attempts               UInt16 COMMENT 'HTTP requests that the SDK made for each of these calls' CODEC(ZSTD(1)),
    currency               LowCardinality(String) COMMENT 'The currency of the price, ISO 4217; empty: no price' CODEC(ZSTD(1)),
    cost_state             LowCardinality(String) COMMENT 'Whether the usages are priced, as a word' CODEC(ZSTD(1)),
    price_source           LowCardinality(String) COMMENT 'Whose price' CODEC(ZSTD(1)),
    price_model            LowCardinality(String) COMMENT 'What the list calls the model' CODEC(ZSTD(1)),
    calls                  Int64 COMMENT 'Calls' CODEC(T64, ZSTD(1)),
    input_tokens           Nullable(Int64) COMMENT 'Input tokens, cache reads and writes included' CODEC(T64, ZSTD(1)),
    output_tokens          Nullable(Int64) COMMENT 'Output tokens, reasoning included' CODEC(T64, ZSTD(1)),
    cache_read_tokens      Nullable(Int64) COMMENT 'Of the input tokens, those read from a cache: a subset, never to be added' CODEC(T64, ZSTD(1)),
    cache_write_tokens     Nullable(Int64) COMMENT 'Of the input tokens, those written to a cache: a subset, never to be added' CODEC(T64, ZSTD(1)),
    reasoning_tokens       Nullable(Int64) COMMENT 'Of the output tokens, those spent on reasoning: a subset, never to be added' CODEC(T64, ZSTD(1)),
    audio_input_tokens     Nullable(Int64) COMMENT 'Of the input tokens, audio: a subset, never to be added' CODEC(T64, ZSTD(1)),
    audio_output_tokens    Nullable(Int64) COMMENT 'Of the output tokens, audio: a subset, never to be added' CODEC(T64, ZSTD(1)),
    image_input_tokens     Nullable(Int64) COMMENT 'Of the input tokens, images: a subset, never to be added' CODEC(T64, ZSTD(1)),
    image_output_tokens    Nullable(Int64) COMMENT 'Of the output tokens, images: a subset, never to be added' CODEC(T64, ZSTD(1)),
    consumed_input_tokens  Nullable(Int64) COMMENT 'Input tokens processed, where the provider bills another number (which input_tokens holds)' CODEC(T64, ZSTD(1)),
    consumed_output_tokens Nullable(Int64) COMMENT 'Output tokens produced, where the provider bills another number (which output_tokens holds)' CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens  Nullable(Int64) COMMENT 'Of the input tokens written to a cache, those kept for an hour: a subset, never to be added' CODEC(T64, ZSTD(1)),
    input_chars            Nullable(Int64) COMMENT 'Characters sent' CODEC(T64, ZSTD(1)),
    output_chars           Nullable(Int64) COMMENT 'Characters received' CODEC(T64, ZSTD(1)),
    texts                  Nullable(Int64) COMMENT 'Texts sent' CODEC(T64, ZSTD(1)),
    input_cost             Nullable(Decimal(38, 18)) COMMENT 'What the input tokens cost' CODEC(ZSTD(1)),
    output_cost            Nullable(Decimal(38, 18)) COMMENT 'What the output tokens cost' CODEC(ZSTD(1)),
    call_cost              Nullable(Decimal(38, 18)) COMMENT 'What the calls themselves cost, and their time' CODEC(ZSTD(1))
)
ENGINE = {{everywhere.usage_days}}
PARTITION BY toYYYYMM(day)
ORDER BY (day, build)
COMMENT 'The sums by day of all builds. Read the view usage_daily instead';

CREATE TABLE IF NOT EXISTS usage_day_builds{{on_cluster}}
(
    day        Date COMMENT 'The day, UTC. 1970-01-01: all builds were compared with the arrivals, and only later arrivals are looked at by questions',
    build      UInt64 COMMENT 'The number of the build; 0: the day has changed since its last build, and has no sums',
    built_at   DateTime64(3, 'UTC') COMMENT 'A moment before the ledger was read',
    definition UInt64 COMMENT 'The digest of the definitions by which the sums were made',
    prices     UInt64 COMMENT 'The digest of the price lists by which the costs were made'
)
ENGINE = {{everywhere.usage_day_builds}}
ORDER BY (day, built_at, build)
COMMENT 'The builds of the sums by day: the latest of each day counts';

-- What has arrived since the last check is found without reading the whole ledger. Older parts have no index, and are read.
ALTER TABLE usage_ledger{{local}}{{on_cluster}} ADD INDEX IF NOT EXISTS arrivals arrived_at TYPE minmax GRANULARITY 4;

-- The sums by day of usages that retention has removed from the ledger, where its rule keeps them. Their builds have the highest bit, which no build of
-- `tokentrail rollup` has: what looks for the latest build of a day, or for former ones, does not see them. Two runs at once, or two imports, may keep the
-- same sums: of a day and tenant those of one build count, and of equal rows one (a build has none: its rows differ in what they are summed by).
CREATE OR REPLACE VIEW usage_kept
(
    day                    Date COMMENT 'The day, UTC',
    tenant_id              LowCardinality(String) COMMENT 'Whose tokens these are; empty if nobody said',
    operation              Enum8('unknown' = 0, 'query' = 1, 'chat' = 2, 'summarize' = 3, 'vector_search' = 4, 'generation' = 5, 'classification' = 6, 'extraction' = 7, 'batch' = 8, 'internal' = 9) COMMENT 'What the tokens were spent for; unknown if the given name is not in the vocabulary (see operation_name)',
    operation_name         LowCardinality(String) COMMENT 'The operation as it was given',
    token_type             Enum8('unknown' = 0, 'llm' = 1, 'embedding' = 2, 'fine_tuning' = 3) COMMENT 'What kind of tokens; unknown if the given name is not in the vocabulary',
    endpoint               LowCardinality(String) COMMENT 'The kind of call: chat, responses, completions, embeddings, generate, batch, …',
    gen_ai_operation       LowCardinality(String) COMMENT 'The operation''s name in the OpenTelemetry GenAI conventions',
    provider               LowCardinality(String) COMMENT 'Who answered',
    model                  LowCardinality(String) COMMENT 'The model that answered, or the requested one where the answer names none',
    request_model          LowCardinality(String) COMMENT 'The model that was asked for',
    response_model         LowCardinality(String) COMMENT 'The model that answered, as it names itself',
    model_family           LowCardinality(String) COMMENT 'llama, qwen, gpt, claude, gemini, mistral, …',
    source                 Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2) COMMENT 'Where the counts come from: the weaker of input_source and output_source',
    input_source           Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2) COMMENT 'Where the input counts come from',
    output_source          Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2) COMMENT 'Where the output counts come from',
    tokenizer              LowCardinality(String) COMMENT 'What counted an estimate; empty where nothing was estimated',
    ended                  Enum8('unknown' = 0, 'complete' = 1, 'partial' = 2, 'error' = 3) COMMENT 'How the calls ended: complete, partial (a stream cut short) or error',
    calls                  Int64 COMMENT 'Calls, corrections subtracted',
    input_tokens Nullable(Int64) COMMENT 'Input tokens, cache reads and writes included. NULL: not stated. Negative in a correction',
    output_tokens Nullable(Int64) COMMENT 'Output tokens, reasoning included. NULL: not stated. Negative in a correction',
    cache_read_tokens Nullable(Int64) COMMENT 'Of the input tokens, those read from a cache: a subset, never to be added',
    cache_write_tokens Nullable(Int64) COMMENT 'Of the input tokens, those written to a cache: a subset, never to be added',
    reasoning_tokens Nullable(Int64) COMMENT 'Of the output tokens, those spent on reasoning: a subset, never to be added',
    audio_input_tokens Nullable(Int64) COMMENT 'Of the input tokens, audio: a subset, never to be added',
    audio_output_tokens Nullable(Int64) COMMENT 'Of the output tokens, audio: a subset, never to be added',
    image_input_tokens Nullable(Int64) COMMENT 'Of the input tokens, images: a subset, never to be added',
    image_output_tokens Nullable(Int64) COMMENT 'Of the output tokens, images: a subset, never to be added',
    consumed_input_tokens Nullable(Int64) COMMENT 'Input tokens processed, where the provider bills another number (which input_tokens holds)',
    consumed_output_tokens Nullable(Int64) COMMENT 'Output tokens produced, where the provider bills another number (which output_tokens holds)',
    cache_write_1h_tokens Nullable(Int64) COMMENT 'Of the input tokens written to a cache, those kept for an hour: a subset, never to be added',
    input_chars            Nullable(Int64) COMMENT 'Characters sent',
    output_chars           Nullable(Int64) COMMENT 'Characters received',
    texts                  Nullable(Int64) COMMENT 'Number of texts sent',
    stream                 Bool COMMENT 'Whether streams were asked for',
    attempts               UInt16 COMMENT 'HTTP requests that the SDK made for each of these calls: 1 and its retries',
    error_type             LowCardinality(String) COMMENT 'What ended the calls, where ended is error',
    server_address         LowCardinality(String) COMMENT 'The host that was called',
    service_name           LowCardinality(String) COMMENT 'The service that made the calls',
    service_version        LowCardinality(String) COMMENT 'That service''s version',
    environment            LowCardinality(String) COMMENT 'That service''s deployment environment',
    key_kind               Enum8('unknown' = 0, 'automatic' = 1, 'four_part' = 2, 'opaque' = 3, 'object' = 4) COMMENT 'Who made the keys: automatic or four_part; usages with other keys are not summed by day',
    origin                 Enum8('unknown' = 0, 'recorded' = 1, 'bridged' = 2) COMMENT 'Who told of the calls',
    instrumentation        LowCardinality(String) COMMENT 'The instrumentation scope whose spans or events state bridged usages; empty for others',
    cost_state             Enum8('uncounted' = 0, 'unpriced' = 1, 'partly' = 2, 'priced' = 3) COMMENT 'Whether the usages are priced, as in usage_cost',
    input_cost             Nullable(Decimal(38, 18)) COMMENT 'What their input tokens cost',
    output_cost            Nullable(Decimal(38, 18)) COMMENT 'What their output tokens cost',
    call_cost              Nullable(Decimal(38, 18)) COMMENT 'What the calls themselves cost, and their time',
    cost                   Nullable(Decimal(38, 18)) COMMENT 'What the usages cost, in their currency. NULL: no price, or no tokens stated',
    currency               LowCardinality(String) COMMENT 'The currency of the price, ISO 4217; empty: no price',
    price_source           LowCardinality(String) COMMENT 'Whose price: own, or the name of a public list; empty: no price',
    price_model            LowCardinality(String) COMMENT 'What the list calls the model'
)
AS
SELECT * EXCEPT (build)
FROM (SELECT DISTINCT * FROM usage_builds WHERE build >= 9223372036854775808)
WHERE (day, tenant_id, build) IN (SELECT day, tenant_id, min(build) FROM usage_days WHERE build >= 9223372036854775808 GROUP BY day, tenant_id)
COMMENT 'Sums by day of usages that retention has removed: no row of the ledger stands behind them any more';

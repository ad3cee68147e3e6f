-- What each usage costs: its tokens by the price at the time of the call, in decimals. A new price changes what this view says, and no token.
-- Tokens of a class with a rate of its own are taken out of their total; those of a class without one are paid as the rest of the total. Without a price
-- there is no cost, and no 0. A row carries the number of its price alone through the join with the times of prices: with the rates a million rows took minutes, and now a second.
CREATE OR REPLACE VIEW usage_cost
(
    ts                     DateTime64(9, 'UTC') COMMENT 'When the call started, UTC. For a key that states a time, that time',
    tenant_id              LowCardinality(String) COMMENT 'Whose tokens these are; empty if nobody said',
    operation              Enum8('unknown' = 0, 'query' = 1, 'chat' = 2, 'summarize' = 3, 'vector_search' = 4, 'generation' = 5, 'classification' = 6, 'extraction' = 7, 'batch' = 8, 'internal' = 9) COMMENT 'What the tokens were spent for; unknown if the given name is not in the vocabulary (see operation_name)',
    operation_name         LowCardinality(String) COMMENT 'The operation as it was given',
    token_type             Enum8('unknown' = 0, 'llm' = 1, 'embedding' = 2, 'fine_tuning' = 3) COMMENT 'What kind of tokens; unknown if the given name is not in the vocabulary',
    endpoint               LowCardinality(String) COMMENT 'The kind of call: chat, responses, completions, embeddings, generate, batch, …',
    gen_ai_operation       LowCardinality(String) COMMENT 'The operation''s name in the OpenTelemetry GenAI conventions',
    provider               LowCardinality(String) COMMENT 'Who answered: by base URL, whatever SDK was used',
    model                  LowCardinality(String) COMMENT 'The model that answered, or the requested one where the answer names none',
    request_model          LowCardinality(String) COMMENT 'The model that was asked for',
    response_model         LowCardinality(String) COMMENT 'The model that answered, as it names itself',
    model_family           LowCardinality(String) COMMENT 'llama, qwen, gpt, claude, gemini, mistral, …',
    source                 Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2) COMMENT 'Where the counts come from: the weaker of input_source and output_source',
    input_source           Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2) COMMENT 'Where the input count comes from: reported by the provider, estimated from the text, or unknown',
    output_source          Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2) COMMENT 'Where the output count comes from: reported by the provider, estimated from the text, or unknown',
    tokenizer              LowCardinality(String) COMMENT 'What counted an estimate; empty where nothing was estimated',
    ended                  Enum8('unknown' = 0, 'complete' = 1, 'partial' = 2, 'error' = 3) COMMENT 'How the call ended: complete, partial (a stream cut short) or error',
    calls                  Int64 COMMENT 'Calls this row stands for: 1, or a signed number in a correction. Count calls as sum(calls), never as count()',
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
    duration_ms            Nullable(Float64) COMMENT 'Milliseconds from the call''s start to its end (a stream''s last chunk)',
    time_to_first_chunk_ms Nullable(Float64) COMMENT 'Milliseconds from the call''s start to the first chunk of a stream',
    stream                 Bool COMMENT 'Whether a stream was asked for',
    attempts               UInt16 COMMENT 'HTTP requests that the SDK made for this one call: 1 and its retries',
    error_type             LowCardinality(String) COMMENT 'What ended the call, where ended is error: an exception''s or a status'' name',
    server_address         LowCardinality(String) COMMENT 'The host that was called',
    server_port            UInt16 COMMENT 'The port that was called; 0 where it is not known',
    service_name           LowCardinality(String) COMMENT 'The service that made the call',
    service_version        LowCardinality(String) COMMENT 'That service''s version',
    environment            LowCardinality(String) COMMENT 'That service''s deployment environment',
    operation_id           String COMMENT 'The service''s own id of what the call was part of',
    response_id            String COMMENT 'The provider''s id of the answer. No key: some providers repeat them',
    trace_id               String COMMENT 'Trace of the call, 32 hexadecimal digits; joins otel_traces.TraceId',
    span_id                String COMMENT 'Span of the call, 16 hexadecimal digits',
    writer_id              LowCardinality(String) COMMENT 'The process that wrote the record; joins deliveries.writer_id',
    seq                    UInt64 COMMENT 'The record''s number among its writer''s',
    arrived_at             DateTime64(3, 'UTC') COMMENT 'When the record was inserted into ClickHouse, UTC',
    key_kind               Enum8('unknown' = 0, 'automatic' = 1, 'four_part' = 2, 'opaque' = 3, 'object' = 4) COMMENT 'Who made the key: automatic (a wrapped call), four_part or opaque (a caller), object (a provider''s batch or job)',
    idempotency_key        String COMMENT 'The key under which this usage counts once',
    corrects_key           String COMMENT 'The key of the usage that this row corrects; empty: this row is no correction',
    metadata               String COMMENT 'A JSON object of the service''s own; read it with JSONExtractString(metadata, ''name'')',
    metadata_cut           Bool COMMENT 'Whether metadata was cut to fit',
    origin                 Enum8('unknown' = 0, 'recorded' = 1, 'bridged' = 2) COMMENT 'Who told of the call: recorded (tokentrail itself) or bridged (a span or event of another instrumentation: sampled and droppable, so of lower assurance)',
    instrumentation        LowCardinality(String) COMMENT 'The instrumentation scope whose span or event states a bridged usage; empty for others'
    , cost_state           Enum8('uncounted' = 0, 'unpriced' = 1, 'partly' = 2, 'priced' = 3) COMMENT 'Whether the usage is priced, partly priced (some of its tokens have no rate, or are not known: a lower bound), unpriced, or states no tokens'
    , input_cost           Nullable(Decimal(38, 18)) COMMENT 'What its input tokens cost'
    , output_cost          Nullable(Decimal(38, 18)) COMMENT 'What its output tokens cost'
    , call_cost            Nullable(Decimal(38, 18)) COMMENT 'What the call itself costs, and its time'
    , cost                 Nullable(Decimal(38, 18)) COMMENT 'What the usage costs, in its currency. NULL: no price, or no tokens stated. Negative in a correction'
    , currency             LowCardinality(String) COMMENT 'The currency of the price, ISO 4217; empty: no price'
    , price_source         LowCardinality(String) COMMENT 'Whose price: own, or the name of a public list; empty: no price'
    , price_model          LowCardinality(String) COMMENT 'What the list calls the model'
)
AS
WITH
    ifNull(u.input_tokens, 0) AS into,
    ifNull(u.output_tokens, 0) AS out,
    ifNull(r.input, 0) AS rate_input,
    ifNull(r.output, 0) AS rate_output,
    ifNull(r.cache_read, 0) AS rate_cache_read,
    ifNull(r.cache_write, 0) AS rate_cache_write,
    ifNull(r.cache_write_1h, 0) AS rate_cache_write_1h,
    ifNull(r.reasoning, 0) AS rate_reasoning,
    ifNull(r.audio_input, 0) AS rate_audio_input,
    ifNull(r.audio_output, 0) AS rate_audio_output,
    ifNull(r.image_input, 0) AS rate_image_input,
    ifNull(r.image_output, 0) AS rate_image_output,
    ifNull(r.call, 0) AS rate_call,
    ifNull(r.hour, 0) AS rate_hour,
    if(r.cache_write_1h IS NULL, 0, ifNull(u.cache_write_1h_tokens, 0)) AS written_for_an_hour,
    if(r.cache_write IS NULL, 0, ifNull(u.cache_write_tokens, 0) - written_for_an_hour) AS written,
    if(r.cache_read IS NULL, 0, ifNull(u.cache_read_tokens, 0)) AS read,
    if(r.audio_input IS NULL, 0, ifNull(u.audio_input_tokens, 0)) AS heard,
    if(r.image_input IS NULL, 0, ifNull(u.image_input_tokens, 0)) AS seen,
    into - written_for_an_hour - written - read - heard - seen AS rest_of_input,
    if(r.reasoning IS NULL, 0, ifNull(u.reasoning_tokens, 0)) AS thought,
    if(r.audio_output IS NULL, 0, ifNull(u.audio_output_tokens, 0)) AS spoken,
    if(r.image_output IS NULL, 0, ifNull(u.image_output_tokens, 0)) AS drawn,
    out - thought - spoken - drawn AS rest_of_output,
    multiIf(
        u.input_tokens IS NULL AND u.output_tokens IS NULL AND r.call IS NULL AND r.hour IS NULL, 'uncounted',
        r.currency = '', 'unpriced',
        u.source = 'unknown' OR (rest_of_input != 0 AND r.input IS NULL) OR (rest_of_output != 0 AND r.output IS NULL), 'partly',
        'priced') AS state,
    toDecimal128(if(into >= 0, greatest(rest_of_input, 0), rest_of_input), 0) * rate_input
        + toDecimal128(written_for_an_hour, 0) * rate_cache_write_1h
        + toDecimal128(written, 0) * rate_cache_write
        + toDecimal128(read, 0) * rate_cache_read
        + toDecimal128(heard, 0) * rate_audio_input
        + toDecimal128(seen, 0) * rate_image_input AS millions_of_input,
    toDecimal128(if(out >= 0, greatest(rest_of_output, 0), rest_of_output), 0) * rate_output
        + toDecimal128(thought, 0) * rate_reasoning
        + toDecimal128(spoken, 0) * rate_audio_output
        + toDecimal128(drawn, 0) * rate_image_output AS millions_of_output,
    toDecimal128(u.calls, 0) * rate_call
        + toDecimal128(toInt64(round(ifNull(u.duration_ms, 0) * 1000)), 0) * rate_hour / 3600000000 AS of_calls
SELECT
    u.* EXCEPT (price_id, second_of_day),
    CAST(state, 'Enum8(\'uncounted\' = 0, \'unpriced\' = 1, \'partly\' = 2, \'priced\' = 3)') AS cost_state,
    if(state IN ('partly', 'priced'), millions_of_input / 1000000, NULL) AS input_cost,
    if(state IN ('partly', 'priced'), millions_of_output / 1000000, NULL) AS output_cost,
    if(state IN ('partly', 'priced'), of_calls, NULL) AS call_cost,
    input_cost + output_cost + call_cost AS cost,
    r.currency AS currency,
    r.source AS price_source,
    toLowCardinality(r.model) AS price_model
FROM
(
    SELECT
        c.*,
        arrayFirst(
            each -> c.ts >= each.valid_from AND c.ts < each.valid_to AND (NOT each.batch OR c.endpoint = 'batch') AND ifNull(c.input_tokens, 0) > each.above
                AND if(each.daily_from < each.daily_to,
                    second_of_day >= each.daily_from AND second_of_day < each.daily_to,
                    second_of_day >= each.daily_from OR second_of_day < each.daily_to),
            p.prices).id AS price_id,
        toHour(c.ts) * 3600 + toMinute(c.ts) * 60 + toSecond(c.ts) AS second_of_day
    FROM usage AS c
    LEFT ANY JOIN model_prices AS p ON c.provider = p.provider AND c.request_model = p.request_model AND c.response_model = p.response_model
) AS u
LEFT ANY JOIN (SELECT id, source, model, currency, input, output, cache_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, image_input, image_output, call, hour, note FROM prices) AS r ON u.price_id = r.id
COMMENT 'What each usage costs, by the price at the time of the call';

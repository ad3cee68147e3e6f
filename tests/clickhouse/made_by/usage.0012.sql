-- The view for readers of the ledger. A word added to the vocabulary changes this text, and so the type of existing rows.
-- Two branches, because a filter on `ts` prunes partitions and granules only where `ts` is the sorting key itself: rows whose key states a time are
-- found by `ts`; rows with other (opaque) keys lie in one partition, which is scanned whole.
-- The usage of a provider's job counts for the tenant and the operation of its creation, wherever the job was polled; its results do not count if the
-- job states its usage itself. What is known of jobs is a small table, and joined to the rows of jobs alone: a join of all rows cost twenty times as
-- much (measured with 26.9). Of the bridged rows, which have opaque keys, those count that no other record tells of, in whatever order the records
-- came. `timed` is a constant of each branch: a condition on it leaves whole branches out (the sums of days, usage_day_sums). PREWHERE, which comes before FINAL, is right here: all records of a key have one kind and one text.
CREATE OR REPLACE VIEW usage
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
    instrumentation        LowCardinality(String) COMMENT 'The instrumentation scope whose span or event states a bridged usage; empty for others',
    timed                  Bool COMMENT 'Whether ts is a time that the key states: such rows lie in the order of ts, and are summed by day (usage_daily)'
)
AS
SELECT
    ts,
    tenant_id,
    CAST(toInt8(transform(operation_name, ['query', 'chat', 'summarize', 'vector_search', 'generation', 'classification', 'extraction', 'batch', 'internal'], [1, 2, 3, 4, 5, 6, 7, 8, 9], 0)) AS Enum8('unknown' = 0, 'query' = 1, 'chat' = 2, 'summarize' = 3, 'vector_search' = 4, 'generation' = 5, 'classification' = 6, 'extraction' = 7, 'batch' = 8, 'internal' = 9)) AS operation,
    operation_name,
    CAST(toInt8(transform(token_type_name, ['llm', 'embedding', 'fine_tuning'], [1, 2, 3], 0)) AS Enum8('unknown' = 0, 'llm' = 1, 'embedding' = 2, 'fine_tuning' = 3)) AS token_type,
    endpoint,
    gen_ai_operation,
    provider,
    if(response_model != '', response_model, request_model) AS model,
    request_model,
    response_model,
    model_family,
    CAST(least(CAST(input_source, 'Int8'), CAST(output_source, 'Int8')) AS Enum8('unknown' = 0, 'estimated' = 1, 'reported' = 2)) AS source,
    input_source,
    output_source,
    tokenizer,
    CAST(toInt8(transform(ended_name, ['complete', 'partial', 'error'], [1, 2, 3], 0)) AS Enum8('unknown' = 0, 'complete' = 1, 'partial' = 2, 'error' = 3)) AS ended,
    calls,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    audio_input_tokens,
    audio_output_tokens,
    image_input_tokens,
    image_output_tokens,
    consumed_input_tokens,
    consumed_output_tokens,
    cache_write_1h_tokens,
    input_chars,
    output_chars,
    texts,
    duration_ns / 1000000 AS duration_ms,
    time_to_first_chunk_ns / 1000000 AS time_to_first_chunk_ms,
    stream,
    attempts,
    error_type,
    server_address,
    server_port,
    service_name,
    service_version,
    environment,
    operation_id,
    response_id,
    trace_id,
    span_id,
    writer_id,
    seq,
    arrived_at,
    key_kind,
    if(key_kind IN ('automatic', 'four_part'), concat(key_head, ':', toString(toUnixTimestamp64Nano(key_ts))), key_head) AS idempotency_key,
    corrects_key,
    metadata,
    metadata_cut,
    CAST(toInt8(transform(origin_name, ['recorded', 'bridged'], [1, 2], 0)) AS Enum8('unknown' = 0, 'recorded' = 1, 'bridged' = 2)) AS origin,
    instrumentation,
    timed
FROM
(
    SELECT *, key_ts AS ts, true AS timed
    FROM usage_ledger FINAL
    PREWHERE key_kind != 'object'
    WHERE key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
    UNION ALL
    SELECT *, event_ts AS ts, false AS timed
    FROM usage_ledger FINAL
    PREWHERE position(key_head, '#') = 0
    WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        AND key_hash GLOBAL NOT IN (SELECT key_hash FROM bridged_again)
        AND key_head GLOBAL NOT IN (SELECT job FROM usage_jobs)
    UNION ALL
    SELECT
        of_jobs.* EXCEPT (job) REPLACE
        (
            toLowCardinality(if(created.1 != '', created.1, of_jobs.tenant_id)) AS tenant_id,
            toLowCardinality(if(created.2 != '', created.2, of_jobs.operation_name)) AS operation_name,
            if(created.2 != '', created.3, of_jobs.operation_id) AS operation_id,
            if(created.2 != '', created.4, of_jobs.metadata) AS metadata,
            if(created.2 != '', created.5, of_jobs.metadata_cut) AS metadata_cut
        )
    FROM
    (
        SELECT *, key_ts AS ts, false AS timed, substringIndex(key_head, '#', 1) AS job
        FROM usage_ledger FINAL
        PREWHERE key_kind = 'object'
        WHERE key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        UNION ALL
        SELECT *, event_ts AS ts, false AS timed, substringIndex(key_head, '#', 1) AS job
        FROM usage_ledger FINAL
        PREWHERE position(key_head, '#') > 0
        WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        UNION ALL
        SELECT *, event_ts AS ts, false AS timed, key_head AS job
        FROM usage_ledger FINAL
        PREWHERE key_head GLOBAL IN (SELECT job FROM usage_jobs)
        WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
    ) AS of_jobs
    LEFT ANY JOIN
    (
        SELECT arrayJoin(arrayPushBack(names, own_name)) AS name, is_stated, created
        FROM
        (
            SELECT job AS own_name, arraySort(groupUniqArrayArray(results)) AS names, max(stated) AS is_stated, argMinMerge(creation) AS created
            FROM usage_jobs
            GROUP BY job
        )
    ) AS known ON of_jobs.job = known.name
    WHERE NOT (calls = 0 AND match(key_head, '.##(created|results|usage)$'))
        AND NOT (is_stated = 1 AND position(key_head, '#') > 0)
)
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per usage, each counted once: what everybody reads';

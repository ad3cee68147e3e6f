-- Parses records: checks each record, and converts its attributes to columns. An invalid record has a `problem` and is kept whole in quarantine; the
-- other records of its batch are stored.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_parse{{on_cluster}} TO usage_parsed AS
WITH
    LogAttributes[{{KEY_KIND}}] AS kind_text,
    LogAttributes[{{KEY_TIME}}] AS key_time_text,
    LogAttributes[{{SEQ}}] AS seq_text,
    LogAttributes[{{CALL}}] AS call_text,
    LogAttributes[{{SCHEMA}}] AS schema_text,
    LogAttributes[{{LAST_SEQ}}] AS last_seq_text,
    LogAttributes[{{INPUT_SOURCE}}] AS input_source_text,
    LogAttributes[{{OUTPUT_SOURCE}}] AS output_source_text,
    LogAttributes[{{CALLS}}] AS calls_text,
    LogAttributes[{{ATTEMPTS}}] AS attempts_text,
    {{each counts: LogAttributes['$attribute'] AS $text,}}
    {{each sizes: LogAttributes['$attribute'] AS $text,}}
    LogAttributes[{{DURATION_NS}}] AS duration_ns_text,
    LogAttributes[{{TIME_TO_FIRST_CHUNK_NS}}] AS time_to_first_chunk_ns_text,
    -- a count beyond a trillion is invalid: a few such counts would overflow every sum
    1000000000000 AS most,
    (text -> text != '' AND ifNull(abs(toInt64OrNull(text)) > most, true)) AS no_count,
    (text -> text != '' AND toInt64OrNull(text) IS NULL) AS no_integer,
    toUInt64OrZero(key_time_text) AS key_time,
    toDateTime64('2020-01-01 00:00:00', 9, 'UTC') AS earliest,
    addDays(toDateTime64(arrived_at, 9, 'UTC'), 1) AS latest,
    toUInt64OrZero(seq_text) AS seq_number,
    if(call_text = '', seq_number, toUInt64OrZero(call_text)) AS call_number,
    transform(kind_text, {{KeyKind.words}}, {{KeyKind.numbers}}, 0) AS kind_number,
    transform(if(input_source_text = '', 'unknown', input_source_text), {{Source.words}}, {{Source.numbers}}, 255) AS input_rank,
    transform(if(output_source_text = '', 'unknown', output_source_text), {{Source.words}}, {{Source.numbers}}, 255) AS output_rank,
    match(key, '^[^:[:cntrl:]]+:[^:[:cntrl:]]*:[0-9a-f]{32}:[0-9]{19}$') AS four_parts,
    '^[0-9]{1,19}(-[0-9]{1,19})?(,[0-9]{1,19}(-[0-9]{1,19})?)*$' AS ranges
SELECT
    LogAttributes[{{EVENT}}] AS event,
    multiIf(
        event NOT IN ({{EVENT_USAGE}}, {{EVENT_CLOSING}}, {{EVENT_REFUSED}}), 'unknown event: {{EVENT.name}} is none of usage, closing, refused',
        schema_text NOT IN ('', '{{SCHEMA_VERSION.name}}'), 'unknown schema: {{SCHEMA.name}} is not {{SCHEMA_VERSION.name}}, migrate and replay',
        NOT match(writer_id, '^[0-9a-f]{32}$'), 'bad writer: {{WRITER_ID.name}} is not 32 lower-case hexadecimal digits',
        event = {{EVENT_CLOSING}}, multiIf(
            toUInt64OrNull(last_seq_text) IS NULL, 'bad closing: {{LAST_SEQ.name}} is not a whole number',
            damaged_ranges != '' AND NOT match(damaged_ranges, ranges), 'bad closing: {{DAMAGED_RANGES.name}} is not a list of ranges',
            ''),
        event = {{EVENT_REFUSED}}, if(
            NOT match(refused_ranges, ranges), 'bad refusal: {{REFUSED_RANGES.name}} is not a list of ranges',
            ''),
        seq_number = 0, 'bad number: {{SEQ.name}} is not a whole number from 1',
        call_number = 0, 'bad number: {{CALL.name}} is not a whole number from 1',
        key = '', 'bad key: {{KEY.name}} is missing',
        length(key) > 1024, 'bad key: {{KEY.name}} is longer than 1,024 bytes',
        kind_number = 0, 'bad key: {{KEY_KIND.name}} is not a known kind of key',
        kind_text IN ('automatic', 'four_part') AND NOT four_parts, 'bad key: {{KEY.name}} has not the four parts that its kind has',
        kind_text != 'opaque' AND toUInt64OrNull(key_time_text) IS NULL, 'bad key: {{KEY_TIME.name}} is not a time in nanoseconds',
        kind_text IN ('automatic', 'four_part') AND toUInt64OrZero(right(key, 19)) != key_time, 'bad key: {{KEY_TIME.name}} is not the time in {{KEY.name}}',
        Timestamp < earliest, 'bad time: before 2020',
        Timestamp > latest, 'bad time: more than a day ahead of its arrival',
        kind_text != 'opaque' AND key_time < toUInt64(toUnixTimestamp64Nano(earliest)), 'bad time: {{KEY_TIME.name}} is before 2020',
        kind_text != 'opaque' AND key_time > toUInt64(toUnixTimestamp64Nano(latest)), 'bad time: {{KEY_TIME.name}} is more than a day ahead of its arrival',
        input_rank = 255, 'bad source: {{INPUT_SOURCE.name}} is not a known source',
        output_rank = 255, 'bad source: {{OUTPUT_SOURCE.name}} is not a known source',
        no_count(calls_text), 'bad count: {{CALLS.name}} is not a whole number within a trillion',
        {{each counts: no_count($text), 'bad count: $attribute is not a whole number within a trillion',}}
        {{each sizes: no_count($text), 'bad count: $attribute is not a whole number within a trillion',}}
        no_integer(attempts_text), 'bad count: {{ATTEMPTS.name}} is not a whole number',
        no_integer(duration_ns_text), 'bad count: {{DURATION_NS.name}} is not a whole number',
        no_integer(time_to_first_chunk_ns_text), 'bad count: {{TIME_TO_FIRST_CHUNK_NS.name}} is not a whole number',
        '') AS problem,
    reinterpretAsUInt128(sipHash128(LogAttributes, ResourceAttributes, toUnixTimestamp64Nano(Timestamp), TraceId, SpanId, Body)) AS digest,
    arrived_at,
    LogAttributes[{{WRITER_ID}}] AS writer_id,
    seq_number AS seq,
    call_number AS call,
    toUInt64OrZero(last_seq_text) AS last_seq,
    LogAttributes[{{REFUSED_RANGES}}] AS refused_ranges,
    LogAttributes[{{DAMAGED_RANGES}}] AS damaged_ranges,
    LogAttributes[{{CLOSED_BY}}] AS closed_by,
    CAST(toInt8(kind_number) AS {{KeyKind.type}}) AS key_kind,
    LogAttributes[{{KEY}}] AS key,
    if(kind_text IN ('automatic', 'four_part'), left(key, -20), key) AS key_head,
    reinterpretAsUInt128(sipHash128(if(kind_text = 'automatic', concat(writer_id, ' ', toString(call), ' '), ''), key)) AS key_hash,
    fromUnixTimestamp64Nano(if(kind_text = 'opaque', toInt64(0), toInt64(key_time)), 'UTC') AS key_ts,
    least(input_rank, output_rank) AS rank,
    -- the rank, then how early the record is (relative to the key's own time, so that the number is mostly the same and compresses well), then a hash
    bitShiftLeft(toUInt128(rank), 96)
        + bitShiftLeft(toUInt128(bitNot(reinterpretAsUInt64(toUnixTimestamp64Nano(Timestamp) - toUnixTimestamp64Nano(key_ts)) + 9223372036854775808)), 32)
        + toUInt128(toUInt32(bitShiftRight(sipHash64(LogAttributes, TraceId, SpanId, ServiceName), 32))) AS version,
    Timestamp AS event_ts,
    LogAttributes[{{TENANT_ID}}] AS tenant_id,
    LogAttributes[{{OPERATION}}] AS operation_name,
    LogAttributes[{{TOKEN_TYPE}}] AS token_type_name,
    LogAttributes[{{ENDPOINT}}] AS endpoint,
    LogAttributes[{{GEN_AI_OPERATION}}] AS gen_ai_operation,
    LogAttributes[{{PROVIDER}}] AS provider,
    LogAttributes[{{REQUEST_MODEL}}] AS request_model,
    LogAttributes[{{RESPONSE_MODEL}}] AS response_model,
    LogAttributes[{{MODEL_FAMILY}}] AS model_family,
    CAST(toInt8(if(input_rank = 255, 0, input_rank)) AS {{Source.type}}) AS input_source,
    CAST(toInt8(if(output_rank = 255, 0, output_rank)) AS {{Source.type}}) AS output_source,
    LogAttributes[{{TOKENIZER}}] AS tokenizer,
    LogAttributes[{{ENDED}}] AS ended_name,
    if(calls_text = '', 1, toInt64OrZero(calls_text)) AS calls,
    {{each counts: toInt64OrNull($text) AS $name,}}
    {{each sizes: toInt64OrNull($text) AS $name,}}
    toInt64OrNull(duration_ns_text) AS duration_ns,
    toInt64OrNull(time_to_first_chunk_ns_text) AS time_to_first_chunk_ns,
    LogAttributes[{{REQUEST_STREAM}}] = 'true' AS stream,
    if(attempts_text = '', 1, toUInt16OrZero(attempts_text)) AS attempts,
    LogAttributes[{{ERROR_TYPE}}] AS error_type,
    LogAttributes[{{SERVER_ADDRESS}}] AS server_address,
    toUInt16OrZero(LogAttributes[{{SERVER_PORT}}]) AS server_port,
    ServiceName AS service_name,
    ResourceAttributes[{{SERVICE_VERSION}}] AS service_version,
    ResourceAttributes[{{ENVIRONMENT}}] AS environment,
    ResourceAttributes[{{HOST_NAME}}] AS host_name,
    LogAttributes[{{OPERATION_ID}}] AS operation_id,
    LogAttributes[{{RESPONSE_ID}}] AS response_id,
    TraceId AS trace_id,
    SpanId AS span_id,
    LogAttributes[{{CORRECTS_KEY}}] AS corrects_key,
    LogAttributes[{{METADATA}}] AS metadata,
    LogAttributes[{{METADATA_CUT}}] = 'true' AS metadata_cut,
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl,
    ScopeName, ScopeVersion, ScopeAttributes, LogAttributes, EventName
FROM usage_landing{{local}};

-- From here on the landing table takes records; on a cluster through the Distributed table, which is created last.
-- distributed: usage_landing by cityHash64(LogAttributes[{{KEY}}])
ALTER TABLE usage_landing{{local}}{{on_cluster}} DROP CONSTRAINT IF EXISTS ledger_is_ready;

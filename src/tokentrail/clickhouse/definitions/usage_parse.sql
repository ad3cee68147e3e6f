-- Parses records: checks each record, and converts the fields of its JSON body to columns. An invalid record has a `problem` and is kept whole in
-- quarantine; the other records of its batch are stored.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_parse{{on_cluster}} TO usage_parsed AS
WITH
    -- every field as text: a number in JSON's notation, `true`, a list, or the inside of a string; empty where the field is absent or null.
    -- tupleElement and not `said.key`: ClickHouse plans a view for every insert, and resolving such a name takes it a millisecond (measured with 26.9)
    JSONExtract(Body, 'Tuple(
        event String, ts String, key String, key_kind String, key_time String, call String, tenant_id String, operation String, token_type String,
        operation_id String, metadata String, metadata_cut String, endpoint String, gen_ai_operation String, provider String, request_model String,
        response_model String, response_id String, model_family String, server_address String, server_port String, stream String, ended String,
        error_type String, attempts String, calls String, duration_ns String, time_to_first_chunk_ns String, corrects_key String, tokenizer String,
        {{each counts: $name String,}}
        {{each sizes: $name String,}}
        input_source String, output_source String, origin String, instrumentation String, last_seq String, closed_by String, ranges String, damaged String)') AS said,
    LogAttributes[{{SEQ}}] AS seq_text,
    LogAttributes[{{SCHEMA}}] AS schema_text,
    ((text, absent) -> if(text = '', absent, text)) AS stated,
    stated(tupleElement(said, 'key_kind'), 'automatic') AS kind_text,
    stated(tupleElement(said, 'input_source'), 'unknown') AS input_source_text,
    stated(tupleElement(said, 'output_source'), 'unknown') AS output_source_text,
    -- a count beyond a trillion is invalid: a few such counts would overflow every sum
    1000000000000 AS most,
    -- the first count that is invalid; one look at a list, since a comparison for each count would double the time that the engine plans the view
    ['calls'{{each counts: , '$name'}}{{each sizes: , '$name'}}] AS counted,
    [tupleElement(said, 'calls'){{each counts: , tupleElement(said, '$name')}}{{each sizes: , tupleElement(said, '$name')}}] AS said_counts,
    arrayFirst((name, text) -> text != '' AND ifNull(abs(toInt64OrNull(text)) > most, true), counted, said_counts) AS no_count,
    arrayFirst((name, text) -> startsWith(text, '-'), counted, said_counts) AS negative,
    (text -> text != '' AND toInt64OrNull(text) IS NULL) AS no_integer,
    (text -> text != '' AND toUInt16OrNull(text) IS NULL) AS no_small_number,
    (text -> text NOT IN ('', 'true', 'false')) AS no_flag,
    toUInt64OrZero(tupleElement(said, 'key_time')) AS key_time,
    toDateTime64('2020-01-01 00:00:00', 9, 'UTC') AS earliest,
    addDays(toDateTime64(arrived_at, 9, 'UTC'), 1) AS latest,
    -- a number from a quadrillion on is none: no writer comes there, and the proof multiplies numbers and adds to them
    (text -> if(toUInt64OrZero(text) < 1000000000000000, toUInt64OrZero(text), 0)) AS number_in,
    number_in(seq_text) AS seq_number,
    if(tupleElement(said, 'call') = '', seq_number, number_in(tupleElement(said, 'call'))) AS call_number,
    transform(kind_text, {{KeyKind.words}}, {{KeyKind.numbers}}, 0) AS kind_number,
    transform(input_source_text, {{Source.words}}, {{Source.numbers}}, 255) AS input_rank,
    transform(output_source_text, {{Source.words}}, {{Source.numbers}}, 255) AS output_rank,
    -- spans and events that became records here (bridge/) have no writer, and so no number
    (writer_id = '' AND event = {{EVENT_USAGE}} AND tupleElement(said, 'origin') = {{Origin.BRIDGED}}) AS unnumbered,
    match(key, '^[^:[:cntrl:]]+:[^:[:cntrl:]]*:[0-9a-f]{32}:[0-9]{19}$') AS four_parts,
    '^\\[\\[[0-9]{1,15},[0-9]{1,15}\\](,\\[[0-9]{1,15},[0-9]{1,15}\\])*\\]$' AS pairs,
    -- what was erased, or has expired, does not come back: up to when usages of tenants are not taken. Without such a tenant nothing is hashed.
    (
        SELECT (groupArrayIf(tenant, cause = 'erasure'), groupArrayIf(until, cause = 'erasure'),
            groupArrayIf(tenant, cause = 'retention'), groupArrayIf(until, cause = 'retention'), maxIf(until, cause = 'retention' AND tenant = 0))
        FROM removals
        WHERE cause = 'erasure' OR version = (SELECT max(version) FROM removals WHERE cause = 'retention')
    ) AS removed,
    reinterpretAsUInt128(sipHash128(concat('tenant ', tupleElement(said, 'tenant_id')))) AS tenant_hash,
    if(key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC'), key_ts, Timestamp) AS moment,
    -- [[1,2],[5,9]] as 1-2,5-9
    (text -> replaceAll(replaceAll(replaceAll(trim(BOTH '[]' FROM text), '],[', ';'), ',', '-'), ';', ',')) AS as_ranges
SELECT
    LogAttributes[{{EVENT}}] AS event,
    multiIf(
        event NOT IN ({{EVENT_USAGE}}, {{EVENT_CLOSING}}, {{EVENT_REFUSED}}), 'unknown event: {{EVENT.name}} is none of usage, closing, refused',
        schema_text != '{{SCHEMA_VERSION.name}}', 'unknown schema: {{SCHEMA.name}} is not {{SCHEMA_VERSION.name}}, migrate and replay',
        NOT unnumbered AND NOT match(writer_id, '^[0-9a-f]{32}$'), 'bad writer: {{WRITER_ID.name}} is not 32 lower-case hexadecimal digits',
        length(Body) > 65536, 'bad body: longer than 64 KiB',
        NOT startsWith(Body, '{'), 'bad body: not a JSON object',
        tupleElement(said, 'event') != event, if(isValidJSON(Body), 'bad body: event is not the one in {{EVENT.name}}', 'bad body: not JSON'),
        toInt64OrNull(tupleElement(said, 'ts')) IS DISTINCT FROM toUnixTimestamp64Nano(Timestamp), 'bad time: ts is not the time of the log record in nanoseconds',
        event = {{EVENT_CLOSING}}, multiIf(
            number_in(tupleElement(said, 'last_seq')) = 0 AND tupleElement(said, 'last_seq') != '0', 'bad closing: last_seq is not a whole number below a quadrillion',
            tupleElement(said, 'damaged') NOT IN ('', '[]') AND NOT match(tupleElement(said, 'damaged'), pairs), 'bad closing: damaged is not a list of pairs of numbers below a quadrillion',
            ''),
        event = {{EVENT_REFUSED}}, multiIf(
            NOT match(tupleElement(said, 'ranges'), pairs), 'bad refusal: ranges is not a list of pairs of numbers below a quadrillion',
            no_flag(tupleElement(said, 'damaged')), 'bad refusal: damaged is neither true nor false',
            ''),
        seq_number = 0 AND NOT unnumbered, 'bad number: {{SEQ.name}} is not a whole number from 1 and below a quadrillion',
        call_number = 0 AND tupleElement(said, 'call') != '0' AND NOT unnumbered, 'bad number: call is not a whole number below a quadrillion',
        key = '', 'bad key: key is missing',
        length(key) > 1024, 'bad key: key is longer than 1,024 bytes',
        kind_number = 0, 'bad key: key_kind is not a known kind of key',
        kind_text IN ('automatic', 'four_part') AND NOT four_parts, 'bad key: key has not the four parts that its kind has',
        kind_text != 'opaque' AND toUInt64OrNull(tupleElement(said, 'key_time')) IS NULL, 'bad key: key_time is not a time in nanoseconds',
        kind_text IN ('automatic', 'four_part') AND toUInt64OrZero(right(key, 19)) != key_time, 'bad key: key_time is not the time in key',
        Timestamp < earliest, 'bad time: before 2020',
        Timestamp > latest, 'bad time: more than a day ahead of its arrival',
        kind_text != 'opaque' AND key_time < toUInt64(toUnixTimestamp64Nano(earliest)), 'bad time: key_time is before 2020',
        kind_text != 'opaque' AND key_time > toUInt64(toUnixTimestamp64Nano(latest)), 'bad time: key_time is more than a day ahead of its arrival',
        input_rank = 255, 'bad source: input_source is not a known source',
        output_rank = 255, 'bad source: output_source is not a known source',
        no_count != '', concat('bad count: ', no_count, ' is not a whole number within a trillion'),
        unnumbered AND negative != '', concat('bad count: ', negative, ' of a span is negative'),
        no_small_number(tupleElement(said, 'attempts')), 'bad count: attempts is not a whole number up to 65,535',
        no_small_number(tupleElement(said, 'server_port')), 'bad count: server_port is not a whole number up to 65,535',
        no_integer(tupleElement(said, 'duration_ns')), 'bad count: duration_ns is not a whole number',
        no_integer(tupleElement(said, 'time_to_first_chunk_ns')), 'bad count: time_to_first_chunk_ns is not a whole number',
        no_flag(tupleElement(said, 'stream')), 'bad flag: stream is neither true nor false',
        no_flag(tupleElement(said, 'metadata_cut')), 'bad flag: metadata_cut is neither true nor false',
        '') AS problem,
    -- quarantine alone reads the digest: hashing each record took a fifth of the whole insert
    if(problem = '', toUInt128(0), reinterpretAsUInt128(
        sipHash128(LogAttributes, ResourceAttributes, toUnixTimestamp64Nano(Timestamp), TraceId, SpanId, Body))) AS digest,
    arrived_at,
    LogAttributes[{{WRITER_ID}}] AS writer_id,
    seq_number AS seq,
    if(call_number = 0, seq_number, call_number) AS call,
    number_in(tupleElement(said, 'last_seq')) AS last_seq,
    if(event = {{EVENT_REFUSED}}, as_ranges(tupleElement(said, 'ranges')), '') AS refused_ranges,
    if(tupleElement(said, 'damaged') = 'true', refused_ranges, as_ranges(tupleElement(said, 'damaged'))) AS damaged_ranges,
    if(event = {{EVENT_CLOSING}}, left(tupleElement(said, 'closed_by'), 32), '') AS closed_by,
    CAST(toInt8(kind_number) AS {{KeyKind.type}}) AS key_kind,
    tupleElement(said, 'key') AS key,
    if(kind_text IN ('automatic', 'four_part'), left(key, -20), key) AS key_head,
    reinterpretAsUInt128(sipHash128(if(kind_text = 'automatic', concat(writer_id, ' ', toString(call), ' '), ''), key)) AS key_hash,
    fromUnixTimestamp64Nano(if(kind_text = 'opaque', toInt64(0), toInt64(key_time)), 'UTC') AS key_ts,
    least(input_rank, output_rank) AS rank,
    -- the rank, then how early the record is (relative to the key's own time, so that the number is mostly the same and compresses well), then a hash
    bitShiftLeft(toUInt128(rank), 96)
        + bitShiftLeft(toUInt128(bitNot(reinterpretAsUInt64(toUnixTimestamp64Nano(Timestamp) - toUnixTimestamp64Nano(key_ts)) + 9223372036854775808)), 32)
        + toUInt128(toUInt32(bitShiftRight(cityHash64(Body, seq_text, writer_id, ServiceName), 32))) AS version,
    Timestamp AS event_ts,
    tupleElement(said, 'tenant_id') AS tenant_id,
    tupleElement(said, 'operation') AS operation_name,
    stated(tupleElement(said, 'token_type'), 'llm') AS token_type_name,
    tupleElement(said, 'endpoint') AS endpoint,
    tupleElement(said, 'gen_ai_operation') AS gen_ai_operation,
    tupleElement(said, 'provider') AS provider,
    tupleElement(said, 'request_model') AS request_model,
    tupleElement(said, 'response_model') AS response_model,
    tupleElement(said, 'model_family') AS model_family,
    CAST(toInt8(if(input_rank = 255, 0, input_rank)) AS {{Source.type}}) AS input_source,
    CAST(toInt8(if(output_rank = 255, 0, output_rank)) AS {{Source.type}}) AS output_source,
    tupleElement(said, 'tokenizer') AS tokenizer,
    stated(tupleElement(said, 'ended'), 'complete') AS ended_name,
    if(tupleElement(said, 'calls') = '', 1, toInt64OrZero(tupleElement(said, 'calls'))) AS calls,
    {{each counts: toInt64OrNull(tupleElement(said, '$name')) AS $name,}}
    {{each sizes: toInt64OrNull(tupleElement(said, '$name')) AS $name,}}
    toInt64OrNull(tupleElement(said, 'duration_ns')) AS duration_ns,
    toInt64OrNull(tupleElement(said, 'time_to_first_chunk_ns')) AS time_to_first_chunk_ns,
    tupleElement(said, 'stream') = 'true' AS stream,
    if(tupleElement(said, 'attempts') = '', 1, toUInt16OrZero(tupleElement(said, 'attempts'))) AS attempts,
    tupleElement(said, 'error_type') AS error_type,
    tupleElement(said, 'server_address') AS server_address,
    toUInt16OrZero(tupleElement(said, 'server_port')) AS server_port,
    ServiceName AS service_name,
    ResourceAttributes[{{SERVICE_VERSION}}] AS service_version,
    ResourceAttributes[{{ENVIRONMENT}}] AS environment,
    ResourceAttributes[{{HOST_NAME}}] AS host_name,
    tupleElement(said, 'operation_id') AS operation_id,
    tupleElement(said, 'response_id') AS response_id,
    TraceId AS trace_id,
    SpanId AS span_id,
    tupleElement(said, 'corrects_key') AS corrects_key,
    tupleElement(said, 'metadata') AS metadata,
    tupleElement(said, 'metadata_cut') = 'true' AS metadata_cut,
    stated(tupleElement(said, 'origin'), {{Origin.RECORDED}}) AS origin_name,
    tupleElement(said, 'instrumentation') AS instrumentation,
    -- a time that cannot be believed is no sign of age: such a record has not expired, and goes to quarantine
    event = {{EVENT_USAGE}} AND (notEmpty(tupleElement(removed, 1)) OR notEmpty(tupleElement(removed, 3)))
        AND moment < greatest(
            arrayMax((one, to) -> if(one = tenant_hash, to, toDateTime64('1970-01-01 00:00:00', 9, 'UTC')), tupleElement(removed, 1), tupleElement(removed, 2)),
            multiIf(
                moment < earliest, toDateTime64('1970-01-01 00:00:00', 9, 'UTC'),
                has(tupleElement(removed, 3), tenant_hash),
                arrayMax((one, to) -> if(one = tenant_hash, to, toDateTime64('1970-01-01 00:00:00', 9, 'UTC')), tupleElement(removed, 3), tupleElement(removed, 4)),
                tupleElement(removed, 5))) AS not_taken,
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl,
    ScopeName, ScopeVersion, ScopeAttributes, LogAttributes, EventName
FROM usage_landing{{local}};

-- From here on the landing table takes records; on a cluster through the table over all shards, which is made last.
-- distributed: usage_landing by cityHash64(JSONExtractString(Body, 'key'))
ALTER TABLE usage_landing{{local}}{{on_cluster}} DROP CONSTRAINT IF EXISTS ledger_is_ready;

-- From a parsed record to each table. All of them are total: no cast that could throw, because an exception here would fail the whole INSERT after the
-- landing table already holds its rows, and every retry would fail again. All targets take the same row twice without counting it twice.

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_ledger TO usage_ledger AS
SELECT
    key_ts, key_hash, version, key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id, operation_name, token_type_name, endpoint,
    gen_ai_operation, provider, request_model, response_model, model_family, input_source, output_source, tokenizer, ended_name, calls, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens,
    image_output_tokens, consumed_input_tokens, consumed_output_tokens, input_chars, output_chars, texts, duration_ns, time_to_first_chunk_ns, stream,
    attempts, error_type, server_address, server_port, service_name, service_version, environment, operation_id, response_id, trace_id, span_id,
    corrects_key, metadata, metadata_cut
FROM usage_parsed
WHERE event = 'usage' AND problem = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_key_conflicts TO key_conflicts AS
SELECT
    key_hash, key_ts, rank,
    sipHash64(
        calls, ifNull(toString(input_tokens), ''), ifNull(toString(output_tokens), ''), ifNull(toString(cache_read_tokens), ''),
        ifNull(toString(cache_write_tokens), ''), ifNull(toString(reasoning_tokens), ''), ifNull(toString(audio_input_tokens), ''),
        ifNull(toString(audio_output_tokens), ''), ifNull(toString(image_input_tokens), ''), ifNull(toString(image_output_tokens), '')
    ) AS numbers,
    key, [tenant_id] AS tenants, event_ts AS first_ts, event_ts AS last_ts, writer_id, calls, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens
FROM usage_parsed
WHERE event = 'usage' AND problem = '' AND key_kind != 'automatic';

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_deliveries TO deliveries AS
SELECT
    writer_id,
    groupBitmapStateIf(seq, event = 'usage') AS seqs,
    groupBitmapStateIf(call, event = 'usage' AND problem = '' AND key_kind = 'automatic') AS calls,
    groupBitmapStateIf(seq, event = 'usage' AND problem != '') AS quarantined,
    groupUniqArrayIf(refused_ranges, event = 'refused' AND problem = '') AS refused,
    groupUniqArrayIf(damaged_ranges, event = 'closing' AND problem = '' AND damaged_ranges != '') AS damaged,
    groupUniqArrayIf(last_seq, event = 'closing' AND problem = '') AS last_seqs,
    groupUniqArrayIf(closed_by, event = 'closing' AND problem = '' AND closed_by != '') AS closed_by,
    min(arrived_at) AS first_heard,
    max(arrived_at) AS last_heard,
    max(service_name) AS service_name,
    max(environment) AS environment,
    max(host_name) AS host_name
FROM usage_parsed
WHERE match(writer_id, '^[0-9a-f]{32}$') AND (event != 'usage' OR seq > 0) AND event IN ('usage', 'closing', 'refused')
GROUP BY writer_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_quarantine TO quarantine AS
SELECT
    digest, arrived_at AS version, CAST(NULL AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at, problem AS reason, event, writer_id, seq, arrived_at,
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl,
    ScopeName, ScopeVersion, ScopeAttributes, LogAttributes, EventName
FROM usage_parsed
WHERE problem != '';

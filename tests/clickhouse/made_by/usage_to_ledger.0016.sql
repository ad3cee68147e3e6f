-- Writes parsed records to the ledger. This view and the other views usage_to_* have no cast that could throw, because an exception would fail the
-- whole INSERT after the landing table already holds its rows, and every retry would fail again. All target tables take the same row twice and count
-- the row once.
-- The version: the worse half decides first (bit 96). Below bit 96 comes the better half: 0 if both halves have the same source, else 9 or 10, more
-- than the times of records from before this rule have in these bits (5 to 8). So an estimate of the answer alone replaces a row without an estimate.
-- The better half takes the last four bits of the hash. A record without a writer, made here of a span, loses to a writer's record of the same key.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_ledger TO usage_ledger AS
SELECT
    key_ts, key_hash,
    bitShiftLeft(toUInt128(rank), 96)
        + bitShiftLeft(toUInt128(if(input_source = output_source, 0, 8 + greatest(toUInt8(input_source), toUInt8(output_source)) - rank)), 92)
        + bitShiftRight(usage_parsed.version - bitShiftLeft(toUInt128(rank), 96), if(writer_id = '', 12, 4)) AS version,
    key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id, operation_name, token_type_name, endpoint,
    gen_ai_operation, provider, request_model, response_model, model_family, input_source, output_source, tokenizer, ended_name, calls,
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
    duration_ns, time_to_first_chunk_ns, stream, attempts, error_type, server_address, server_port, service_name, service_version, environment,
    operation_id, response_id, trace_id, span_id, corrects_key, metadata, metadata_cut, origin_name, instrumentation
FROM usage_parsed
WHERE event = 'usage' AND problem = '' AND NOT not_taken;

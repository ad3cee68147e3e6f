-- A record of which one half is known better (estimated, reported) counts before one with the same worse half: so an estimate of the answer alone replaces
-- the row without any. Only the two small views change; both stay total.

-- The worse half decides first, as before (bit 96). Below it, where the time's first four bits were, comes the better half: 0 if both are alike, else 9 or
-- 10, which is more than any time of a record from before this migration has there (5 to 8). The hash gives up its last four bits for it.
ALTER TABLE usage_to_ledger MODIFY QUERY
SELECT
    key_ts, key_hash,
    bitShiftLeft(toUInt128(rank), 96)
        + bitShiftLeft(toUInt128(if(input_source = output_source, 0, 8 + greatest(toUInt8(input_source), toUInt8(output_source)) - rank)), 92)
        + bitShiftRight(usage_parsed.version - bitShiftLeft(toUInt128(rank), 96), 4) AS version,
    key_kind, key_head, event_ts, arrived_at, writer_id, seq, call, tenant_id, operation_name, token_type_name, endpoint,
    gen_ai_operation, provider, request_model, response_model, model_family, input_source, output_source, tokenizer, ended_name, calls, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens,
    image_output_tokens, consumed_input_tokens, consumed_output_tokens, input_chars, output_chars, texts, duration_ns, time_to_first_chunk_ns, stream,
    attempts, error_type, server_address, server_port, service_name, service_version, environment, operation_id, response_id, trace_id, span_id,
    corrects_key, metadata, metadata_cut
FROM usage_parsed
WHERE event = 'usage' AND problem = '';

-- A completed half is no conflict: the rank has the worse half in its lowest two bits (a record from before this migration has nothing else) and the better
-- half, plus one, above them.
ALTER TABLE usage_to_key_conflicts MODIFY QUERY
SELECT
    key_hash, key_ts,
    toUInt8(usage_parsed.rank + 4 * (1 + greatest(toUInt8(input_source), toUInt8(output_source)))) AS rank,
    sipHash64(
        calls, ifNull(toString(input_tokens), ''), ifNull(toString(output_tokens), ''), ifNull(toString(cache_read_tokens), ''),
        ifNull(toString(cache_write_tokens), ''), ifNull(toString(reasoning_tokens), ''), ifNull(toString(audio_input_tokens), ''),
        ifNull(toString(audio_output_tokens), ''), ifNull(toString(image_input_tokens), ''), ifNull(toString(image_output_tokens), '')
    ) AS numbers,
    key, [tenant_id] AS tenants, event_ts AS first_ts, event_ts AS last_ts, writer_id, calls, input_tokens, output_tokens, cache_read_tokens,
    cache_write_tokens, reasoning_tokens
FROM usage_parsed
WHERE event = 'usage' AND problem = '' AND key_kind != 'automatic';

ALTER TABLE key_conflicts
    COMMENT COLUMN rank 'The worse half in the lowest two bits (0 unknown, 1 estimated, 2 reported), the better one plus one above them';

ALTER TABLE usage_ledger
    COMMENT COLUMN version 'Decides which record of a key counts: rank (worse half, then better half), then the earliest time, then a hash of the record';

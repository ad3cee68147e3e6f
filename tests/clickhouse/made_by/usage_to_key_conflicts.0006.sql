-- All sets of numbers that records state for a claimed key. A completed half is no conflict: the rank has the worse half in its lowest two bits (an
-- old record has no other bits) and the better half, plus one, above them.
-- A count that was added after the first ones changes the hash only if the count is stated: a set of numbers recorded before the count existed, and
-- recorded again afterwards, stays one set.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_key_conflicts TO key_conflicts AS
SELECT
    key_hash, key_ts,
    toUInt8(usage_parsed.rank + 4 * (1 + greatest(toUInt8(input_source), toUInt8(output_source)))) AS rank,
    arrayReduce('groupBitXor', [
        if(cache_write_1h_tokens IS NULL, toUInt64(0), sipHash64('cache_write_1h_tokens', ifNull(cache_write_1h_tokens, 0))),
        sipHash64(calls, ifNull(toString(input_tokens), ''), ifNull(toString(output_tokens), ''), ifNull(toString(cache_read_tokens), ''), ifNull(toString(cache_write_tokens), ''), ifNull(toString(reasoning_tokens), ''), ifNull(toString(audio_input_tokens), ''), ifNull(toString(audio_output_tokens), ''), ifNull(toString(image_input_tokens), ''), ifNull(toString(image_output_tokens), ''))
    ]) AS numbers,
    key, [tenant_id] AS tenants, event_ts AS first_ts, event_ts AS last_ts, writer_id,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    calls
FROM usage_parsed
WHERE event = 'usage' AND problem = '' AND key_kind != 'automatic';

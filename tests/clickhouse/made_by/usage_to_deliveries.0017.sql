-- The numbers of all records that arrived from every writer, understood or not: the proof that nothing is missing.
-- A shipper reports torn numbers in the journal of a live writer at once, by a refusal whose damaged numbers equal its refused numbers: these numbers
-- are damaged, and neither missing nor refused.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_deliveries TO deliveries AS
WITH
    event = 'usage' AS used,
    event = 'closing' AND problem = '' AS closed,
    event = 'refused' AND problem = '' AS refusal,
    used AND problem = '' AND NOT not_taken AS counted
SELECT
    writer_id,
    groupBitmapStateIf(seq, used) AS seqs,
    groupBitmapStateIf(call, counted AND key_kind = 'automatic') AS calls,
    groupBitmapStateIf(seq, used AND problem != '' AND NOT not_taken) AS quarantined,
    groupBitmapStateIf(seq, used AND not_taken) AS untaken,
    groupUniqArrayIf(refused_ranges, refusal AND damaged_ranges != refused_ranges) AS refused,
    groupUniqArrayIf(damaged_ranges, damaged_ranges != '' AND (closed OR (refusal AND damaged_ranges = refused_ranges))) AS damaged,
    groupUniqArrayIf(last_seq, closed) AS last_seqs,
    groupUniqArrayIf(closed_by, closed AND closed_by != '') AS closed_by,
    -- each record's number with 12 bits of a hash of what it counts: a row of the ledger that says anything else was altered, or was never heard.
    -- Numbers in a row keep the bitmap at some 2.6 bytes a record; a copy of a record adds nothing. A later count changes the hash only if it is stated
    groupBitmapStateIf(
        seq * 4096 + bitAnd(cityHash64((cityHash64(usage_parsed.tenant_id), cityHash64(usage_parsed.operation_name), cityHash64(usage_parsed.token_type_name), cityHash64(usage_parsed.provider), cityHash64(usage_parsed.request_model), cityHash64(usage_parsed.response_model), cityHash64(usage_parsed.ended_name), cityHash64(usage_parsed.service_name), cityHash64(usage_parsed.environment), usage_parsed.calls, usage_parsed.input_tokens, usage_parsed.output_tokens, usage_parsed.cache_read_tokens, usage_parsed.cache_write_tokens, usage_parsed.reasoning_tokens, usage_parsed.audio_input_tokens, usage_parsed.audio_output_tokens, usage_parsed.image_input_tokens, usage_parsed.image_output_tokens, usage_parsed.consumed_input_tokens, usage_parsed.consumed_output_tokens, usage_parsed.cache_write_1h_tokens, usage_parsed.input_source, usage_parsed.output_source, usage_parsed.key_ts, key_hash)), 4095),
        counted) AS checks,
    min(arrived_at) AS first_heard,
    max(arrived_at) AS last_heard,
    max(service_name) AS service_name,
    max(environment) AS environment,
    max(host_name) AS host_name
FROM usage_parsed
WHERE match(writer_id, '^[0-9a-f]{32}$') AND (NOT used OR seq > 0) AND event IN ('usage', 'closing', 'refused')
GROUP BY writer_id;

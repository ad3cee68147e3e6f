-- All sets of numbers that records state for a claimed key. A completed half is no conflict: the rank has the worse half in its lowest two bits (an
-- old record has no other bits) and the better half, plus one, above them.
-- A count that was added after the first ones changes the hash only if the count is stated: a set of numbers recorded before the count existed, and
-- recorded again afterwards, stays one set.
-- A span and an event of one call may state different counts without a conflict: records without a writer are left out.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_key_conflicts{{on_cluster}} TO key_conflicts{{local}} AS
SELECT
    key_hash, key_ts,
    toUInt8(usage_parsed.rank + 4 * (1 + greatest(toUInt8(input_source), toUInt8(output_source)))) AS rank,
    arrayReduce('groupBitXor', [
        {{each later_counts: if($name IS NULL, toUInt64(0), sipHash64('$name', ifNull($name, 0))),}}
        sipHash64(calls{{each first_counts: , ifNull(toString($name), '')}})
    ]) AS numbers,
    key, [tenant_id] AS tenants, event_ts AS first_ts, event_ts AS last_ts, writer_id,
    {{each main_counts: $name,}}
    calls
FROM usage_parsed
WHERE event = {{EVENT_USAGE}} AND problem = '' AND NOT not_taken AND key_kind != 'automatic' AND writer_id != '';

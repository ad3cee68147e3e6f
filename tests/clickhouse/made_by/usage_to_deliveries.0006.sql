-- The numbers of all records that arrived from every writer, understood or not: the proof that nothing is missing.
-- A shipper reports torn numbers in the journal of a live writer at once, by a refusal whose damaged numbers equal its refused numbers: these numbers
-- are damaged, and neither missing nor refused.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_deliveries TO deliveries AS
SELECT
    writer_id,
    groupBitmapStateIf(seq, event = 'usage') AS seqs,
    groupBitmapStateIf(call, event = 'usage' AND problem = '' AND key_kind = 'automatic') AS calls,
    groupBitmapStateIf(seq, event = 'usage' AND problem != '') AS quarantined,
    groupUniqArrayIf(refused_ranges, event = 'refused' AND problem = '' AND damaged_ranges != refused_ranges) AS refused,
    groupUniqArrayIf(
        damaged_ranges,
        problem = '' AND damaged_ranges != '' AND (event = 'closing' OR (event = 'refused' AND damaged_ranges = refused_ranges))
    ) AS damaged,
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

-- The numbers of all records that arrived from every writer, understood or not: the proof that nothing is missing.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_deliveries{{on_cluster}} TO deliveries{{local}} AS
WITH
    event = {{EVENT_USAGE}} AS used,
    used AND problem = '' AND NOT not_taken AS counted
SELECT
    writer_id,
    groupBitmapStateIf(seq, used) AS seqs,
    groupBitmapStateIf(call, counted AND key_kind = 'automatic') AS calls,
    groupBitmapStateIf(seq, used AND problem != '' AND NOT not_taken) AS quarantined,
    groupBitmapStateIf(seq, used AND not_taken) AS untaken,
    groupUniqArrayIf((event, last_seq, closed_by, refused_ranges, damaged_ranges), NOT used AND problem = '') AS statements,
    -- each record's number with 10 bits of a hash of what it counts: a row of the ledger that says anything else was altered, or was never heard.
    -- Numbers in a row keep the bitmap at some 2.2 bytes a record; a copy of a record adds nothing. A later count changes the hash only if it is stated
    groupBitmapStateIf(
        seq * 1024 + bitAnd(cityHash64(({{each checked_texts: cityHash64(usage_parsed.$name), }}{{each checked: usage_parsed.$name, }}key_hash)){{each later_checked:  + if($name IS NULL, 0, cityHash64('$name', $name))}}, 1023),
        counted) AS seq_checks,
    min(arrived_at) AS first_heard,
    max(arrived_at) AS last_heard,
    max(service_name) AS service_name,
    max(environment) AS environment,
    max(host_name) AS host_name
FROM usage_parsed
WHERE match(writer_id, '^[0-9a-f]{32}$') AND (NOT used OR seq > 0) AND event IN ({{EVENT_USAGE}}, {{EVENT_CLOSING}}, {{EVENT_REFUSED}})
GROUP BY writer_id;

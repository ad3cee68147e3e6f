-- title: Stores what records count from which a tenant is taken out
-- asked by: tokentrail erase
-- slot: table | The table that stores what was heard
-- unit: no answer
-- columns: none
--
-- Before the rows are changed: else `verify` would call them altered.
INSERT INTO {{table}} (writer_id, seq_checks, first_heard, last_heard)
SELECT
    writer_id,
    groupBitmapState(
        seq * 1024 + bitAnd(cityHash64(({{each checked_texts: cityHash64($name), }}{{each checked: $name, }}key_hash)){{each later_checked:  + if($name IS NULL, 0, cityHash64('$name', $name))}}, 1023)),
    min(arrived_at),
    max(arrived_at)
FROM
(
    SELECT * REPLACE (toLowCardinality('') AS tenant_id)
    FROM (SELECT * FROM usage_ledger WHERE key_kind != 'automatic' AND writer_id != '' AND {{queries.removed_usages}})
)
GROUP BY writer_id

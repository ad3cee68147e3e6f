-- title: Rows that the bridge in ClickHouse made, and since when the bridge is on
-- asked by: tokentrail doctor
-- parameter: days UInt16 = 1 | How many days back
-- unit: rows
-- column: since | When the bridge's views were put in place, after they had been removed at last, UTC
-- column: bridged | Rows that have arrived
-- column: counted | Of these, the rows that count: no other record tells of the call
--
-- Removing a view is a step without views that would be in place.
SELECT
    (
        SELECT min(applied_at) FROM migrations
        WHERE name = 'spans_to_landing' AND applied_at > (SELECT max(applied_at) FROM migrations WHERE name = 'spans_to_landing' AND empty(in_place))
    ) AS since,
    (
        SELECT count() FROM usage_ledger FINAL
        WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AND origin_name = 'bridged' AND writer_id = ''
            AND arrived_at >= now() - toIntervalDay({days:UInt16})
    ) AS bridged,
    (SELECT count() FROM usage WHERE origin = 'bridged' AND writer_id = '' AND arrived_at >= now() - toIntervalDay({days:UInt16})) AS counted

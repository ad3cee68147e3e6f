-- title: Whether the ledger has rows that are in none of these days' sums
-- asked by: tokentrail report
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- slot: days | The days, separated by commas
-- unit: rows, in one row
-- column: others | Rows of the range on other days, or with keys whose rows are not summed by day, or sums that retention keeps
SELECT count() AS others
FROM
(
    SELECT key_ts
    FROM usage_ledger
    WHERE key_ts >= {from:DateTime64(9, 'UTC')} AND key_ts < {to:DateTime64(9, 'UTC')} AND (toDate(key_ts) NOT IN ({{days}}) OR key_kind = 'object')
    UNION ALL
    SELECT key_ts
    FROM usage_ledger
    WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        AND event_ts >= {from:DateTime64(9, 'UTC')} AND event_ts < {to:DateTime64(9, 'UTC')}
    UNION ALL
    SELECT toDateTime64(day, 9, 'UTC') AS key_ts
    FROM usage_days
    WHERE build >= 9223372036854775808 AND key_ts >= {from:DateTime64(9, 'UTC')} AND key_ts < {to:DateTime64(9, 'UTC')}
)

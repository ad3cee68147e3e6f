-- title: Whether all that arrived is in the ledger, once and with one number
-- asked by: tokentrail check and Grafana's alerts
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The moment of the question, if it is past
-- parameter: days UInt16 = 7 | Contradictions of so many days
-- parameter: records UInt32 = 0 | The threshold
-- unit: calls, rows, keys, records and days
-- column: subject | What differs
-- column: value | How many of these
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- What tokentrail verify compares: what was heard of each process, and what lies in the ledger. Bills of providers are not read.
WITH least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end
SELECT
    subject,
    toFloat64(differing) AS value,
    toFloat64({records:UInt32}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat(toString(differing), ' ', subject) AS detail
FROM
(
    SELECT found.1 AS subject, found.2 AS differing
    FROM
    (
        SELECT arrayJoin([
            ('calls arrived and are not in the ledger', sum(length(lost))),
            ('rows of the ledger are not what arrived', sum(length(altered))),
            ('rows of the ledger never arrived', sum(length(added)))]) AS found
        FROM ({{queries.compared_rows}})
    )
    UNION ALL
    SELECT 'rows of claimed keys count what no record has stated' AS subject, count() AS differing FROM ({{queries.unstated_keys}})
    UNION ALL
    SELECT 'records in quarantine are not as they arrived' AS subject, count() AS differing FROM ({{queries.altered_quarantine}})
    UNION ALL
    SELECT 'days have sums that are not those of the ledger' AS subject, count() AS differing FROM ({{queries.days_different}})
    UNION ALL
    SELECT 'claimed keys arrived and are not in the ledger' AS subject, count() AS differing FROM ({{queries.lost_keys}})
    UNION ALL
    SELECT 'records are gone from quarantine' AS subject, sum(length(seqs)) AS differing FROM ({{queries.lost_quarantine}})
    UNION ALL
    SELECT 'claimed keys were given different numbers' AS subject, count() AS differing
    FROM (SELECT key FROM ({{queries.conflicts}}) GROUP BY key HAVING max(last_ts) >= end - toIntervalDay({days:UInt16}))
)
WHERE differing > 0
ORDER BY value DESC, subject

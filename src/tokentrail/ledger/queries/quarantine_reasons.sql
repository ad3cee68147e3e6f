-- title: Records in quarantine, by reason
-- asked by: tokentrail verify
-- unit: records
-- column: reason | Why the records are not understood
-- column: records | How many
-- column: first | When the first one arrived, UTC
-- column: last | When the latest one arrived, UTC
SELECT reason, count() AS records, min(arrived_at) AS first, max(arrived_at) AS last
FROM quarantine FINAL
WHERE replayed_at IS NULL
GROUP BY reason
ORDER BY records DESC, reason

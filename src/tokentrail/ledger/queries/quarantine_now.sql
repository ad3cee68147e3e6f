-- title: The moment of a replay, and the number of records to replay
-- asked by: tokentrail quarantine replay, first
-- parameter: reason String = | What the reason begins with; empty for all
-- unit: records
-- column: now | A time later than every record in quarantine, whatever the clocks of a cluster show
-- column: records | How many records wait for a replay
SELECT
    toString(greatest(now64(3, 'UTC'), ifNull(maxOrNull(version), now64(3, 'UTC')) + toIntervalMillisecond(1))) AS now,
    countIf(replayed_at IS NULL) AS records
FROM quarantine FINAL
WHERE startsWith(reason, {reason:String})
{{queries.quarantine_settings}}

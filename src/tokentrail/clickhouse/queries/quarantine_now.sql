-- The moment of a replay: later than every record in quarantine, whatever the clocks of a cluster say.
SELECT toString(greatest(now64(3, 'UTC'), ifNull(maxOrNull(version), now64(3, 'UTC')) + toIntervalMillisecond(1))) AS now, countIf(replayed_at IS NULL) AS records
FROM quarantine FINAL
WHERE startsWith(reason, {reason:String})
{{queries.quarantine_settings}}

-- After a replay: whatever did not come back into quarantine is understood now. It stays here, marked.
INSERT INTO quarantine
{{queries.quarantine_settings}}
SELECT * REPLACE ({now:DateTime64(3, 'UTC')} AS version, CAST({now:DateTime64(3, 'UTC')} AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at)
FROM quarantine AS q FINAL
WHERE q.replayed_at IS NULL AND startsWith(q.reason, {reason:String}) AND q.version < {now:DateTime64(3, 'UTC')}

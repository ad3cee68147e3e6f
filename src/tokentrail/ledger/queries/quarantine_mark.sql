-- title: Mark the records that are understood after a replay
-- asked by: tokentrail quarantine replay, last
-- parameter: now DateTime64(3, 'UTC') | The moment of the replay
-- parameter: reason String = | What the reason begins with; empty for all
-- unit: no answer
-- columns: none
--
-- A record that did not come back into quarantine is understood now. The record stays in quarantine, marked.
INSERT INTO quarantine
{{queries.quarantine_settings}}
SELECT * REPLACE ({now:DateTime64(3, 'UTC')} AS version, CAST({now:DateTime64(3, 'UTC')} AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at)
FROM quarantine AS q FINAL
WHERE q.replayed_at IS NULL AND startsWith(q.reason, {reason:String}) AND q.version < {now:DateTime64(3, 'UTC')}

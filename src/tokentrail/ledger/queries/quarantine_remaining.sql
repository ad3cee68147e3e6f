-- title: Records that came back into quarantine from a replay
-- asked by: tokentrail quarantine replay, at its end
-- parameter: now DateTime64(3, 'UTC') | The moment of the replay
-- unit: records
-- column: records | How many are still not understood
SELECT count() AS records
FROM quarantine FINAL
WHERE replayed_at IS NULL AND version = {now:DateTime64(3, 'UTC')}
{{queries.quarantine_settings}}

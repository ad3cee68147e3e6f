-- title: Why records that were inserted at a moment are in quarantine
-- asked by: tokentrail quarantine fix, at its end
-- parameter: now DateTime64(3, 'UTC') | The moment of the fix
-- unit: records
-- column: reason | Why the records are not understood
-- column: records | How many
SELECT reason, count() AS records
FROM quarantine FINAL
WHERE replayed_at IS NULL AND arrived_at = {now:DateTime64(3, 'UTC')}
GROUP BY reason
ORDER BY records DESC, reason
{{queries.quarantine_settings}}

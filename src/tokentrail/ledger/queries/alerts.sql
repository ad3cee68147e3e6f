-- title: The alerts that have not ended, with those who were told of them
-- asked by: tokentrail check
-- unit: one row an alert
-- column: condition | The condition
-- column: subject | What it is true of
-- column: version | The number of the state
-- column: state | pending, firing or resolved
-- column: since | The first check at which the condition was true, UTC
-- column: fired_at | The check at which it fired, UTC; NULL: not yet
-- column: resolved_at | The first check at which it was not true any more, UTC
-- column: value | The value
-- column: threshold | The threshold
-- column: detail | The numbers behind the value
-- column: told | Who was told that it fires
-- column: told_resolved | Who was told that it is over
SELECT condition, subject, version, state, since, fired_at, resolved_at, value, threshold, detail, told, told_resolved
FROM (SELECT * FROM alerts ORDER BY condition, subject, version DESC LIMIT 1 BY condition, subject)
WHERE state != 'ended'
ORDER BY condition, subject

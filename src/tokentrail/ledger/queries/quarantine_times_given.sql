-- title: The times that were given to calls whose own time cannot be believed
-- asked by: tokentrail quarantine fix
-- parameter: identities Array(String) | The calls
-- unit: nanoseconds
-- column: identity | The call
-- column: time | The time that was given to it, since 1970
SELECT identity, toUnixTimestamp64Nano(time) AS time
FROM quarantine_times FINAL
WHERE has({identities:Array(String)}, identity)
ORDER BY identity

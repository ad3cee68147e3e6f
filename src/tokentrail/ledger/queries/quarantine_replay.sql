-- title: Insert records from quarantine into the landing table again, as if they arrived now
-- asked by: tokentrail quarantine replay, second
-- parameter: now DateTime64(3, 'UTC') | The moment of the replay
-- parameter: reason String = | What the reason begins with; empty for all
-- unit: no answer
-- columns: none
--
-- A record that is still not understood returns to quarantine with this moment as its version; a record that is understood counts once, by its key.
INSERT INTO usage_landing
(
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName,
    ScopeVersion, ScopeAttributes, LogAttributes, EventName, arrived_at
)
{{queries.quarantine_settings}}
SELECT
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName,
    ScopeVersion, ScopeAttributes, LogAttributes, EventName, {now:DateTime64(3, 'UTC')}
FROM quarantine FINAL
WHERE replayed_at IS NULL AND startsWith(reason, {reason:String})

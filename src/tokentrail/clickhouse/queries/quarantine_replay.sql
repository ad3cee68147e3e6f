-- Put what lies in quarantine back into the landing table, as if it arrived now. What is still not understood comes back into quarantine with this moment
-- as its version; what is understood meets its copies by key.
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

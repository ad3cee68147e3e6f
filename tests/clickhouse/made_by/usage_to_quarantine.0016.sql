-- Records that are not understood, stored whole, so that they can be replayed.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_quarantine TO quarantine AS
SELECT
    digest, arrived_at AS version, CAST(NULL AS Nullable(DateTime64(3, 'UTC'))) AS replayed_at, problem AS reason, event, writer_id, seq, arrived_at,
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl,
    ScopeName, ScopeVersion, ScopeAttributes, LogAttributes, EventName
FROM usage_parsed
WHERE problem != '' AND NOT not_taken;

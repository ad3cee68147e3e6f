-- Put what lies in quarantine back into the landing table, as if it arrived now. What is still not understood comes back into quarantine with this moment
-- as its version; what is understood meets its copies by key.
-- On a cluster: every shard has taken the records before this is done, and all steps of a replay speak to the same replica of each shard, whichever node
-- is asked. Else the marking would come before the records that come back, and would mark them.
INSERT INTO usage_landing
(
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName,
    ScopeVersion, ScopeAttributes, LogAttributes, EventName, arrived_at
)
SETTINGS distributed_foreground_insert = 1, parallel_distributed_insert_select = 0, load_balancing = 'in_order', prefer_localhost_replica = 0
SELECT
    Timestamp, TraceId, SpanId, TraceFlags, SeverityText, SeverityNumber, ServiceName, Body, ResourceSchemaUrl, ResourceAttributes, ScopeSchemaUrl, ScopeName,
    ScopeVersion, ScopeAttributes, LogAttributes, EventName, {now:DateTime64(3, 'UTC')}
FROM quarantine FINAL
WHERE replayed_at IS NULL AND startsWith(reason, {reason:String})

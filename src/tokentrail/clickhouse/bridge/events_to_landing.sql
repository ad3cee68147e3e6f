-- Events of other instrumentations (`gen_ai.client.inference.operation.details`, and any log record that states tokens) become records of the ledger,
-- under the identity of their span, so that a span and an event of one call count once; an event without a span is known by all that it says.
-- Selected by the attributes, because an exporter that has started without ClickHouse leaves names of events empty. No expression can fail.
CREATE MATERIALIZED VIEW IF NOT EXISTS events_to_landing{{on_cluster}} TO usage_landing AS
WITH
    if(match(TraceId, '^[0-9a-f]{32}$') AND match(SpanId, '^[0-9a-f]{16}$'), concat('span:', TraceId, ':', SpanId),
        concat('event:', lower(hex(sipHash128(toUnixTimestamp64Nano(Timestamp), ServiceName, ScopeName, mapKeys(given), mapValues(given)))))) AS key,
    false AS failed,
    '' AS duration,
{{part bridged_record}}
FROM (SELECT Timestamp, TraceId, SpanId, ServiceName, ResourceAttributes, ScopeName, ScopeVersion, LogAttributes AS given FROM otel_logs{{local}})
WHERE is_call AND given[{{EVENT}}] = '';

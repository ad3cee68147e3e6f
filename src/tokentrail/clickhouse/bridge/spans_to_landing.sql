-- Spans of other instrumentations, in any language, become records of the ledger, under the span's identity. The landing table's views judge each
-- record, so what is malformed is kept in quarantine.
-- No expression here can fail: attributes are texts and stay texts, and functions of this view take any text. A view that failed would fail the
-- INSERT of the application's spans.
CREATE MATERIALIZED VIEW IF NOT EXISTS spans_to_landing{{on_cluster}} TO usage_landing AS
WITH
    SpanAttributes AS given,
    if(match(TraceId, '^[0-9a-f]{32}$') AND match(SpanId, '^[0-9a-f]{16}$'), concat('span:', TraceId, ':', SpanId), '') AS key,
    StatusCode = 'Error' AS failed,
    if(Duration < 9223372036854775808, toString(Duration), '') AS duration,
{{part bridged_record}}
FROM otel_traces{{local}}
WHERE is_call AND ScopeName != {{SCOPE}} AND SpanKind NOT IN ({{bridge.server_side}});

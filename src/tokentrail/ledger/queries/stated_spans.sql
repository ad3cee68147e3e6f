-- title: Spans that state something of a call of a model
-- asked by: tokentrail import openllmetry
-- slot: table | The table of spans
-- slot: wanted | The names of the attributes that are read, as texts
-- slot: properties | What the names of further attributes begin with, as a text
-- slot: bounds | Conditions on the time
-- unit: spans
-- column: Timestamp | When the span began, in nanoseconds
-- column: TraceId | The trace
-- column: SpanId | The span
-- column: ParentSpanId | The span around it
-- column: SpanKind | Whose span it is: the caller's or the server's
-- column: ServiceName | The service
-- column: ScopeName | The instrumentation
-- column: Duration | Nanoseconds
-- column: StatusCode | Whether the call failed
-- column: SpanAttributes | What the span states, without prompts and answers
-- column: ResourceAttributes | What is known of the service, in the same way
SELECT
    toString(toUnixTimestamp64Nano(toDateTime64(spans.Timestamp, 9))) AS Timestamp,
    TraceId, SpanId, ParentSpanId, toString(spans.SpanKind) AS SpanKind, toString(spans.ServiceName) AS ServiceName, ScopeName,
    toString(spans.Duration) AS Duration, toString(spans.StatusCode) AS StatusCode,
    mapFilter((name, value) -> name IN ({{wanted}}) OR startsWith(name, {{properties}}), spans.SpanAttributes) AS SpanAttributes,
    mapFilter((name, value) -> name IN ({{wanted}}), spans.ResourceAttributes) AS ResourceAttributes
FROM {{table}} AS spans
WHERE arrayExists(name -> startsWith(name, 'gen_ai.') OR startsWith(name, 'llm.') OR name IN ({{wanted}}), mapKeys(spans.SpanAttributes)){{bounds}}

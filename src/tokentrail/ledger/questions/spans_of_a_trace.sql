-- title: The spans of one trace, under the names that Grafana draws
-- asked by: SREs
-- parameter: trace String | The trace's id, 32 hexadecimal digits
-- unit: one row a span; times and durations in milliseconds
-- column: traceID | The trace
-- column: spanID | The span
-- column: parentSpanID | The span that this one is nested under
-- column: serviceName | The service
-- column: operationName | The span's name
-- column: startTime | When the span started, milliseconds since 1970
-- column: duration | Milliseconds
-- column: statusCode | 2: error, 1: ok, 0: not stated
-- column: statusMessage | What the status says
-- column: kind | Client, server, internal, producer or consumer
-- column: tags | The span's attributes
-- column: serviceTags | The service's attributes
--
-- The table of traces' times finds the days of the trace, so that no other days are read.
WITH
    (SELECT min(Start) - 1 FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}) AS begin,
    (SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}) AS end
SELECT
    TraceId AS traceID,
    SpanId AS spanID,
    ParentSpanId AS parentSpanID,
    ServiceName AS serviceName,
    SpanName AS operationName,
    toUnixTimestamp64Nano(Timestamp) / 1000000 AS startTime,
    Duration / 1000000 AS duration,
    toUInt8(multiIf(StatusCode IN ('Error', 'STATUS_CODE_ERROR'), 2, StatusCode IN ('Ok', 'STATUS_CODE_OK'), 1, 0)) AS statusCode,
    StatusMessage AS statusMessage,
    lower(replaceOne(SpanKind, 'SPAN_KIND_', '')) AS kind,
    arrayMap(key -> map('key', key, 'value', SpanAttributes[key]), arraySort(mapKeys(SpanAttributes))) AS tags,
    arrayMap(key -> map('key', key, 'value', ResourceAttributes[key]), arraySort(mapKeys(ResourceAttributes))) AS serviceTags
FROM otel_traces
WHERE TraceId = {trace:String} AND Timestamp >= begin AND Timestamp <= end
ORDER BY startTime, spanID

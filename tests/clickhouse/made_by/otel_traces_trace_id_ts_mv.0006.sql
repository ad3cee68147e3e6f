-- Begin and end of each trace, one row per insert. The view has the name that the Collector's exporter gives.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
SELECT TraceId, toDateTime(min(Timestamp), 'UTC') AS Start, toDateTime(max(Timestamp), 'UTC') AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId;

-- Spans, as the exporter writes them, and its small table of when each trace began and ended, by which Grafana finds one trace without a scan.
-- distributed: otel_traces by cityHash64(TraceId)
CREATE TABLE IF NOT EXISTS otel_traces
(
    Timestamp          DateTime64(9, 'UTC') COMMENT 'When the span started' CODEC(Delta(8), ZSTD(1)),
    TraceId            String COMMENT 'Trace; usage.trace_id joins it' CODEC(ZSTD(1)),
    SpanId             String COMMENT 'Span; usage.span_id joins it' CODEC(ZSTD(1)),
    ParentSpanId       String COMMENT 'The span that this one is nested under' CODEC(ZSTD(1)),
    TraceState         String COMMENT 'W3C trace state' CODEC(ZSTD(1)),
    SpanName           LowCardinality(String) COMMENT 'The span''s name' CODEC(ZSTD(1)),
    SpanKind           LowCardinality(String) COMMENT 'Client, Server, Internal, Producer or Consumer' CODEC(ZSTD(1)),
    ServiceName        LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ScopeName          String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion       String COMMENT 'Its version' CODEC(ZSTD(1)),
    SpanAttributes     Map(LowCardinality(String), String) COMMENT 'Attributes' CODEC(ZSTD(1)),
    Duration           UInt64 COMMENT 'Nanoseconds' CODEC(ZSTD(1)),
    StatusCode         LowCardinality(String) COMMENT 'Unset, Ok or Error' CODEC(ZSTD(1)),
    StatusMessage      String COMMENT 'What the status says' CODEC(ZSTD(1)),
    Events Nested
    (
        Timestamp  DateTime64(9, 'UTC'),
        Name       LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) COMMENT 'Events within the span' CODEC(ZSTD(1)),
    Links Nested
    (
        TraceId    String,
        SpanId     String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) COMMENT 'Links to other spans' CODEC(ZSTD(1)),
    arrived_at         DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Spans of the applications, from the Collector, kept for 30 days';

-- distributed: otel_traces_trace_id_ts by cityHash64(TraceId)
CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts
(
    TraceId    String COMMENT 'Trace' CODEC(ZSTD(1)),
    Start      DateTime('UTC') COMMENT 'When its first span of this insert started' CODEC(Delta(4), ZSTD(1)),
    End        DateTime('UTC') COMMENT 'When its last span of this insert started' CODEC(Delta(4), ZSTD(1)),
    arrived_at DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (TraceId, Start)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'When each trace began and ended: by it Grafana finds a trace without a scan';

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
SELECT TraceId, toDateTime(min(Timestamp), 'UTC') AS Start, toDateTime(max(Timestamp), 'UTC') AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId;

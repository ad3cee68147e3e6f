-- Logs, traces and metrics as the Collector's ClickHouse exporter (0.161) writes them with create_schema: false. The columns are the exporter's; two things
-- differ from the tables that it would make. Partitions and TTL go by arrival: one span from a clock that is years off must not spread an insert over more
-- partitions than one insert may touch and so block the queue for ever. And times of metrics keep their nanoseconds.
-- distributed: otel_logs by rand()
CREATE TABLE IF NOT EXISTS otel_logs{{local}}{{on_cluster}}
(
    Timestamp          DateTime64(9, 'UTC') COMMENT 'When it happened' CODEC(Delta(8), ZSTD(1)),
    TraceId            String COMMENT 'Trace' CODEC(ZSTD(1)),
    SpanId             String COMMENT 'Span' CODEC(ZSTD(1)),
    TraceFlags         UInt8 COMMENT 'Trace flags',
    SeverityText       LowCardinality(String) COMMENT 'Severity as text' CODEC(ZSTD(1)),
    SeverityNumber     UInt8 COMMENT 'Severity as number, 1 to 24',
    ServiceName        LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    Body               String COMMENT 'The message' CODEC(ZSTD(1)),
    ResourceSchemaUrl  LowCardinality(String) COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ScopeSchemaUrl     LowCardinality(String) COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ScopeName          String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion       LowCardinality(String) COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes    Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    LogAttributes      Map(LowCardinality(String), String) COMMENT 'Attributes' CODEC(ZSTD(1)),
    EventName          String COMMENT 'Event name' CODEC(ZSTD(1)),
    arrived_at         DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_timestamp Timestamp TYPE minmax GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_lower_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Logs of the applications, from the Collector, kept for 30 days';

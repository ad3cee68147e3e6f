-- Where records arrive: the exporter's table of logs, and the time of arrival. Partition and TTL go by arrival: by the records' own time a backlog of
-- more than a hundred days would fail as a whole, for ever.
-- The constraint holds until the view that feeds the ledger exists (definitions/usage_parse.sql takes it away), so that a Collector that is already
-- running cannot insert past the view: the insert fails and is tried again.
-- On a cluster the table over all shards comes with that view: made here it would take over the constraint, and keep it.
CREATE TABLE IF NOT EXISTS usage_landing{{local}}{{on_cluster}}
(
    Timestamp          DateTime64(9, 'UTC') COMMENT 'The call''s start' CODEC(Delta(8), ZSTD(1)),
    TraceId            String COMMENT 'Trace of the call' CODEC(ZSTD(1)),
    SpanId             String COMMENT 'Span of the call' CODEC(ZSTD(1)),
    TraceFlags         UInt8 COMMENT 'Trace flags' CODEC(ZSTD(1)),
    SeverityText       LowCardinality(String) COMMENT 'Severity as text' CODEC(ZSTD(1)),
    SeverityNumber     UInt8 COMMENT 'Severity as number' CODEC(ZSTD(1)),
    ServiceName        LowCardinality(String) COMMENT 'The service that sent the record' CODEC(ZSTD(1)),
    Body               String COMMENT 'The record''s body' CODEC(ZSTD(1)),
    ResourceSchemaUrl  LowCardinality(String) COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ScopeSchemaUrl     LowCardinality(String) COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ScopeName          String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion       LowCardinality(String) COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes    Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    LogAttributes      Map(LowCardinality(String), String) COMMENT 'All that the record says, as text' CODEC(ZSTD(1)),
    EventName          String COMMENT 'Event name; empty if the Collector started while ClickHouse was down: select by attribute' CODEC(ZSTD(1)),
    arrived_at         DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the record was inserted' CODEC(Delta(8), ZSTD(1)),
    CONSTRAINT ledger_is_ready CHECK 0
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, Timestamp)
TTL toDateTime(arrived_at) + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1, {{no_block_deduplication}}
COMMENT 'Records of the ledger as they arrived, kept for 30 days';

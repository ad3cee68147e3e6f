-- Metrics, as the exporter writes them. A metric has no identity, a retried insert counts again: look at metrics, bill from `usage`.
-- distributed: otel_metrics_gauge by rand()
CREATE TABLE IF NOT EXISTS otel_metrics_gauge{{local}}{{on_cluster}}
(
    ResourceAttributes    Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ResourceSchemaUrl     String COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ScopeName             String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion          String COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes       Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Scope attributes that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl        String COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ServiceName           LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    MetricName            LowCardinality(String) COMMENT 'The metric''s name' CODEC(ZSTD(1)),
    MetricDescription     String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit            String COMMENT 'Its unit' CODEC(ZSTD(1)),
    Attributes            Map(LowCardinality(String), String) COMMENT 'Attributes of the series' CODEC(ZSTD(1)),
    StartTimeUnix         DateTime64(9, 'UTC') COMMENT 'Since when it is measured' CODEC(Delta(8), ZSTD(1)),
    TimeUnix              DateTime64(9, 'UTC') COMMENT 'When it was measured' CODEC(Delta(8), ZSTD(1)),
    Value                 Float64 COMMENT 'The value' CODEC(ZSTD(1)),
    Flags                 UInt32 COMMENT 'Data point flags' CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix           DateTime64(9, 'UTC'),
        Value              Float64,
        SpanId             String,
        TraceId            String
    ) COMMENT 'Single measurements with their traces' CODEC(ZSTD(1)),
    arrived_at            DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Gauges, from the Collector, kept for 30 days';

-- distributed: otel_metrics_sum by rand()
CREATE TABLE IF NOT EXISTS otel_metrics_sum{{local}}{{on_cluster}}
(
    ResourceAttributes    Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ResourceSchemaUrl     String COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ScopeName             String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion          String COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes       Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Scope attributes that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl        String COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ServiceName           LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    MetricName            LowCardinality(String) COMMENT 'The metric''s name' CODEC(ZSTD(1)),
    MetricDescription     String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit            String COMMENT 'Its unit' CODEC(ZSTD(1)),
    Attributes            Map(LowCardinality(String), String) COMMENT 'Attributes of the series' CODEC(ZSTD(1)),
    StartTimeUnix         DateTime64(9, 'UTC') COMMENT 'Since when it is measured' CODEC(Delta(8), ZSTD(1)),
    TimeUnix              DateTime64(9, 'UTC') COMMENT 'When it was measured' CODEC(Delta(8), ZSTD(1)),
    Value                 Float64 COMMENT 'The value' CODEC(ZSTD(1)),
    Flags                 UInt32 COMMENT 'Data point flags' CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix           DateTime64(9, 'UTC'),
        Value              Float64,
        SpanId             String,
        TraceId            String
    ) COMMENT 'Single measurements with their traces' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '1 delta, 2 cumulative' CODEC(ZSTD(1)),
    IsMonotonic           Bool COMMENT 'Whether it only grows' CODEC(ZSTD(1)),
    arrived_at            DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Counters, from the Collector, kept for 30 days';

-- distributed: otel_metrics_histogram by rand()
CREATE TABLE IF NOT EXISTS otel_metrics_histogram{{local}}{{on_cluster}}
(
    ResourceAttributes    Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ResourceSchemaUrl     String COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ScopeName             String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion          String COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes       Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Scope attributes that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl        String COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ServiceName           LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    MetricName            LowCardinality(String) COMMENT 'The metric''s name' CODEC(ZSTD(1)),
    MetricDescription     String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit            String COMMENT 'Its unit' CODEC(ZSTD(1)),
    Attributes            Map(LowCardinality(String), String) COMMENT 'Attributes of the series' CODEC(ZSTD(1)),
    StartTimeUnix         DateTime64(9, 'UTC') COMMENT 'Since when it is measured' CODEC(Delta(8), ZSTD(1)),
    TimeUnix              DateTime64(9, 'UTC') COMMENT 'When it was measured' CODEC(Delta(8), ZSTD(1)),
    Count                 UInt64 COMMENT 'Measurements' CODEC(Delta(8), ZSTD(1)),
    Sum                   Float64 COMMENT 'Sum of the measurements' CODEC(ZSTD(1)),
    BucketCounts          Array(UInt64) COMMENT 'Measurements in each bucket' CODEC(ZSTD(1)),
    ExplicitBounds        Array(Float64) COMMENT 'Upper bounds of the buckets but the last' CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix           DateTime64(9, 'UTC'),
        Value              Float64,
        SpanId             String,
        TraceId            String
    ) COMMENT 'Single measurements with their traces' CODEC(ZSTD(1)),
    Flags                 UInt32 COMMENT 'Data point flags' CODEC(ZSTD(1)),
    Min                   Float64 COMMENT 'Smallest measurement' CODEC(ZSTD(1)),
    Max                   Float64 COMMENT 'Largest measurement' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '1 delta, 2 cumulative' CODEC(ZSTD(1)),
    arrived_at            DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Histograms, from the Collector, kept for 30 days';

-- distributed: otel_metrics_exponential_histogram by rand()
CREATE TABLE IF NOT EXISTS otel_metrics_exponential_histogram{{local}}{{on_cluster}}
(
    ResourceAttributes    Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ResourceSchemaUrl     String COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ScopeName             String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion          String COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes       Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Scope attributes that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl        String COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ServiceName           LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    MetricName            LowCardinality(String) COMMENT 'The metric''s name' CODEC(ZSTD(1)),
    MetricDescription     String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit            String COMMENT 'Its unit' CODEC(ZSTD(1)),
    Attributes            Map(LowCardinality(String), String) COMMENT 'Attributes of the series' CODEC(ZSTD(1)),
    StartTimeUnix         DateTime64(9, 'UTC') COMMENT 'Since when it is measured' CODEC(Delta(8), ZSTD(1)),
    TimeUnix              DateTime64(9, 'UTC') COMMENT 'When it was measured' CODEC(Delta(8), ZSTD(1)),
    Count                 UInt64 COMMENT 'Measurements' CODEC(Delta(8), ZSTD(1)),
    Sum                   Float64 COMMENT 'Sum of the measurements' CODEC(ZSTD(1)),
    Scale                 Int32 COMMENT 'The buckets'' base is 2 to the power of 2 to the power of -Scale' CODEC(ZSTD(1)),
    ZeroCount             UInt64 COMMENT 'Measurements of zero' CODEC(ZSTD(1)),
    PositiveOffset        Int32 COMMENT 'Index of the first positive bucket' CODEC(ZSTD(1)),
    PositiveBucketCounts  Array(UInt64) COMMENT 'Measurements in each positive bucket' CODEC(ZSTD(1)),
    NegativeOffset        Int32 COMMENT 'Index of the first negative bucket' CODEC(ZSTD(1)),
    NegativeBucketCounts  Array(UInt64) COMMENT 'Measurements in each negative bucket' CODEC(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix           DateTime64(9, 'UTC'),
        Value              Float64,
        SpanId             String,
        TraceId            String
    ) COMMENT 'Single measurements with their traces' CODEC(ZSTD(1)),
    Flags                 UInt32 COMMENT 'Data point flags' CODEC(ZSTD(1)),
    Min                   Float64 COMMENT 'Smallest measurement' CODEC(ZSTD(1)),
    Max                   Float64 COMMENT 'Largest measurement' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '1 delta, 2 cumulative' CODEC(ZSTD(1)),
    arrived_at            DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Exponential histograms, from the Collector, kept for 30 days';

-- distributed: otel_metrics_summary by rand()
CREATE TABLE IF NOT EXISTS otel_metrics_summary{{local}}{{on_cluster}}
(
    ResourceAttributes    Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ResourceSchemaUrl     String COMMENT 'Schema of the resource attributes' CODEC(ZSTD(1)),
    ScopeName             String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion          String COMMENT 'Its version' CODEC(ZSTD(1)),
    ScopeAttributes       Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Scope attributes that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl        String COMMENT 'Schema of the scope attributes' CODEC(ZSTD(1)),
    ServiceName           LowCardinality(String) COMMENT 'The service that sent it' CODEC(ZSTD(1)),
    MetricName            LowCardinality(String) COMMENT 'The metric''s name' CODEC(ZSTD(1)),
    MetricDescription     String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit            String COMMENT 'Its unit' CODEC(ZSTD(1)),
    Attributes            Map(LowCardinality(String), String) COMMENT 'Attributes of the series' CODEC(ZSTD(1)),
    StartTimeUnix         DateTime64(9, 'UTC') COMMENT 'Since when it is measured' CODEC(Delta(8), ZSTD(1)),
    TimeUnix              DateTime64(9, 'UTC') COMMENT 'When it was measured' CODEC(Delta(8), ZSTD(1)),
    Count                 UInt64 COMMENT 'Measurements' CODEC(Delta(8), ZSTD(1)),
    Sum                   Float64 COMMENT 'Sum of the measurements' CODEC(ZSTD(1)),
    ValueAtQuantiles Nested
    (
        Quantile Float64,
        Value    Float64
    ) COMMENT 'Values at the quantiles that the application computed' CODEC(ZSTD(1)),
    Flags                 UInt32 COMMENT 'Data point flags' CODEC(ZSTD(1)),
    arrived_at            DateTime('UTC') DEFAULT now() COMMENT 'When it was inserted' CODEC(Delta(4), ZSTD(1)),
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{replicated}}MergeTree
PARTITION BY toDate(arrived_at)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL arrived_at + INTERVAL 30 DAY
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Summaries, from the Collector, kept for 30 days';

-- The tables of the ledger, apart from the landing table (0002). What fills them from one another is computed: see definitions/.

-- A record of the landing table with its attributes read and judged. The table stores nothing: the views usage_to_* read each block as it passes through.
-- So each attribute is looked up once, and what a valid record is stands in one place (definitions/usage_parse.sql).
CREATE TABLE IF NOT EXISTS usage_parsed{{on_cluster}}
(
    event                  LowCardinality(String),
    problem                LowCardinality(String) COMMENT 'Why the record is not understood; empty if it is',
    digest                 UInt128 COMMENT 'Hash of the whole record: copies of one record share it',
    arrived_at             DateTime64(3, 'UTC'),
    writer_id              String,
    seq                    UInt64,
    call                   UInt64,
    last_seq               UInt64,
    refused_ranges         String,
    damaged_ranges         String,
    closed_by              String,
    key_kind               {{KeyKind.type}},
    key                    String,
    key_head               String,
    key_hash               UInt128,
    key_ts                 DateTime64(9, 'UTC'),
    rank                   UInt8,
    version                UInt128,
    event_ts               DateTime64(9, 'UTC'),
    tenant_id              String,
    operation_name         String,
    token_type_name        String,
    endpoint               String,
    gen_ai_operation       String,
    provider               String,
    request_model          String,
    response_model         String,
    model_family           String,
    input_source           {{Source.type}},
    output_source          {{Source.type}},
    tokenizer              String,
    ended_name             String,
    calls                  Int64,
    input_tokens           Nullable(Int64),
    output_tokens          Nullable(Int64),
    cache_read_tokens      Nullable(Int64),
    cache_write_tokens     Nullable(Int64),
    reasoning_tokens       Nullable(Int64),
    audio_input_tokens     Nullable(Int64),
    audio_output_tokens    Nullable(Int64),
    image_input_tokens     Nullable(Int64),
    image_output_tokens    Nullable(Int64),
    consumed_input_tokens  Nullable(Int64),
    consumed_output_tokens Nullable(Int64),
    input_chars            Nullable(Int64),
    output_chars           Nullable(Int64),
    texts                  Nullable(Int64),
    duration_ns            Nullable(Int64),
    time_to_first_chunk_ns Nullable(Int64),
    stream                 Bool,
    attempts               UInt16,
    error_type             String,
    server_address         String,
    server_port            UInt16,
    service_name           String,
    service_version        String,
    environment            String,
    host_name              String,
    operation_id           String,
    response_id            String,
    trace_id               String,
    span_id                String,
    corrects_key           String,
    metadata               String,
    metadata_cut           Bool,
    Timestamp              DateTime64(9, 'UTC'),
    TraceId                String,
    SpanId                 String,
    TraceFlags             UInt8,
    SeverityText           LowCardinality(String),
    SeverityNumber         UInt8,
    ServiceName            LowCardinality(String),
    Body                   String,
    ResourceSchemaUrl      LowCardinality(String),
    ResourceAttributes     Map(LowCardinality(String), String),
    ScopeSchemaUrl         LowCardinality(String),
    ScopeName              String,
    ScopeVersion           LowCardinality(String),
    ScopeAttributes        Map(LowCardinality(String), String),
    LogAttributes          Map(LowCardinality(String), String),
    EventName              String
)
ENGINE = Null
COMMENT 'Landing records on their way: attributes read and judged, nothing stored';

-- One row per identity after FINAL. The sorting key holds only what every copy of a record has in common, and begins with time, because parts that do not
-- overlap in time need no merging at query time: FINAL then costs about what a plain scan costs.
-- Words are kept as text and typed by the view `usage`, so that a word which this database does not know yet loses nothing.
-- distributed: usage_ledger
CREATE TABLE IF NOT EXISTS usage_ledger{{local}}{{on_cluster}}
(
    key_ts                 DateTime64(9, 'UTC') COMMENT 'The time that the key itself states, 1970-01-01 if it states none: copies of a key always meet' CODEC(Delta(8), ZSTD(1)),
    key_hash               UInt128 COMMENT 'Hash of the identity: key, writer and call number of an automatic key, the key alone of a claimed one' CODEC(ZSTD(1)),
    version                UInt128 COMMENT 'Decides which record of a key counts: rank (worse half, then better half), then the earliest time, then a hash of the record' CODEC(ZSTD(1)),
    key_kind               {{KeyKind.type}} COMMENT 'Who made the key',
    key_head               String COMMENT 'The idempotency key; of automatic and four-part keys without the time at its end, which key_ts holds' CODEC(ZSTD(1)),
    event_ts               DateTime64(9, 'UTC') COMMENT 'The time on the record' CODEC(Delta(8), ZSTD(1)),
    arrived_at             DateTime64(3, 'UTC') COMMENT 'When the record was inserted' CODEC(Delta(8), ZSTD(1)),
    writer_id              LowCardinality(String) COMMENT 'The process that wrote the record' CODEC(ZSTD(1)),
    seq                    UInt64 COMMENT 'The record''s number among its writer''s' CODEC(Delta(8), ZSTD(1)),
    call                   UInt64 COMMENT 'The number of the writer''s record that first told of this call' CODEC(Delta(8), ZSTD(1)),
    tenant_id              LowCardinality(String) COMMENT 'Whose tokens these are' CODEC(ZSTD(1)),
    operation_name         LowCardinality(String) COMMENT 'The operation as it was given' CODEC(ZSTD(1)),
    token_type_name        LowCardinality(String) COMMENT 'The token type as it was given' CODEC(ZSTD(1)),
    endpoint               LowCardinality(String) COMMENT 'The kind of call' CODEC(ZSTD(1)),
    gen_ai_operation       LowCardinality(String) COMMENT 'The operation''s name in the GenAI conventions' CODEC(ZSTD(1)),
    provider               LowCardinality(String) COMMENT 'Who answered' CODEC(ZSTD(1)),
    request_model          LowCardinality(String) COMMENT 'The model that was asked for' CODEC(ZSTD(1)),
    response_model         LowCardinality(String) COMMENT 'The model that answered' CODEC(ZSTD(1)),
    model_family           LowCardinality(String) COMMENT 'The model''s family' CODEC(ZSTD(1)),
    input_source           {{Source.type}} COMMENT 'Where the input count comes from' CODEC(ZSTD(1)),
    output_source          {{Source.type}} COMMENT 'Where the output count comes from' CODEC(ZSTD(1)),
    tokenizer              LowCardinality(String) COMMENT 'What counted an estimate' CODEC(ZSTD(1)),
    ended_name             LowCardinality(String) COMMENT 'How the call ended, as it was given' CODEC(ZSTD(1)),
    calls                  Int64 COMMENT 'Calls; negative in a correction' CODEC(T64, ZSTD(1)),
    input_tokens           Nullable(Int64) COMMENT 'Input tokens' CODEC(T64, ZSTD(1)),
    output_tokens          Nullable(Int64) COMMENT 'Output tokens' CODEC(T64, ZSTD(1)),
    cache_read_tokens      Nullable(Int64) COMMENT 'Of the input, read from a cache' CODEC(T64, ZSTD(1)),
    cache_write_tokens     Nullable(Int64) COMMENT 'Of the input, written to a cache' CODEC(T64, ZSTD(1)),
    reasoning_tokens       Nullable(Int64) COMMENT 'Of the output, reasoning' CODEC(T64, ZSTD(1)),
    audio_input_tokens     Nullable(Int64) COMMENT 'Of the input, audio' CODEC(T64, ZSTD(1)),
    audio_output_tokens    Nullable(Int64) COMMENT 'Of the output, audio' CODEC(T64, ZSTD(1)),
    image_input_tokens     Nullable(Int64) COMMENT 'Of the input, images' CODEC(T64, ZSTD(1)),
    image_output_tokens    Nullable(Int64) COMMENT 'Of the output, images' CODEC(T64, ZSTD(1)),
    consumed_input_tokens  Nullable(Int64) COMMENT 'Input that was processed, where the provider bills another number' CODEC(T64, ZSTD(1)),
    consumed_output_tokens Nullable(Int64) COMMENT 'Output that was produced, where the provider bills another number' CODEC(T64, ZSTD(1)),
    input_chars            Nullable(Int64) COMMENT 'Characters sent' CODEC(T64, ZSTD(1)),
    output_chars           Nullable(Int64) COMMENT 'Characters received' CODEC(T64, ZSTD(1)),
    texts                  Nullable(Int64) COMMENT 'Texts sent' CODEC(T64, ZSTD(1)),
    duration_ns            Nullable(Int64) COMMENT 'Nanoseconds from the call''s start to its end' CODEC(T64, ZSTD(1)),
    time_to_first_chunk_ns Nullable(Int64) COMMENT 'Nanoseconds from the call''s start to the first chunk of a stream' CODEC(T64, ZSTD(1)),
    stream                 Bool COMMENT 'Whether a stream was asked for' CODEC(ZSTD(1)),
    attempts               UInt16 COMMENT 'HTTP requests the SDK made for the call' CODEC(ZSTD(1)),
    error_type             LowCardinality(String) COMMENT 'What ended the call with an error' CODEC(ZSTD(1)),
    server_address         LowCardinality(String) COMMENT 'The host that was called' CODEC(ZSTD(1)),
    server_port            UInt16 COMMENT 'The port that was called' CODEC(ZSTD(1)),
    service_name           LowCardinality(String) COMMENT 'The service that made the call' CODEC(ZSTD(1)),
    service_version        LowCardinality(String) COMMENT 'Its version' CODEC(ZSTD(1)),
    environment            LowCardinality(String) COMMENT 'Its deployment environment' CODEC(ZSTD(1)),
    operation_id           String COMMENT 'The service''s own id of what the call was part of' CODEC(ZSTD(1)),
    response_id            String COMMENT 'The provider''s id of the answer' CODEC(ZSTD(1)),
    trace_id               String COMMENT 'Trace of the call' CODEC(ZSTD(1)),
    span_id                String COMMENT 'Span of the call' CODEC(ZSTD(1)),
    corrects_key           String COMMENT 'The key that a correction corrects' CODEC(ZSTD(1)),
    metadata               String COMMENT 'A JSON object of the service''s own' CODEC(ZSTD(1)),
    metadata_cut           Bool COMMENT 'Whether metadata was cut to fit' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(key_ts)
ORDER BY (key_ts, key_hash)
SETTINGS {{no_block_deduplication}}
COMMENT 'The ledger: one row per usage once merged. Read the view `usage` instead';

-- Everything that was ever said for a claimed key: one row per key, rank and set of numbers. More than one set of numbers of a rank is a conflict.
-- It also knows every claimed key that must be in the ledger.
-- distributed: key_conflicts
CREATE TABLE IF NOT EXISTS key_conflicts{{local}}{{on_cluster}}
(
    key_hash           UInt128 COMMENT 'Hash of the key' CODEC(ZSTD(1)),
    key_ts             DateTime64(9, 'UTC') COMMENT 'The time that the key states' CODEC(ZSTD(1)),
    rank               UInt8 COMMENT 'The worse half in the lowest two bits (0 unknown, 1 estimated, 2 reported), the better one plus one above them',
    numbers            UInt64 COMMENT 'Hash of all counts' CODEC(ZSTD(1)),
    key                SimpleAggregateFunction(any, String) COMMENT 'The key' CODEC(ZSTD(1)),
    tenants            SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Who this was said for' CODEC(ZSTD(1)),
    first_ts           SimpleAggregateFunction(min, DateTime64(9, 'UTC')) COMMENT 'Earliest time on such a record' CODEC(ZSTD(1)),
    last_ts            SimpleAggregateFunction(max, DateTime64(9, 'UTC')) COMMENT 'Latest time on such a record' CODEC(ZSTD(1)),
    writer_id          SimpleAggregateFunction(max, String) COMMENT 'One of the writers that said so' CODEC(ZSTD(1)),
    calls              SimpleAggregateFunction(max, Int64) COMMENT 'Calls' CODEC(ZSTD(1)),
    input_tokens       SimpleAggregateFunction(max, Nullable(Int64)) COMMENT 'Input tokens' CODEC(ZSTD(1)),
    output_tokens      SimpleAggregateFunction(max, Nullable(Int64)) COMMENT 'Output tokens' CODEC(ZSTD(1)),
    cache_read_tokens  SimpleAggregateFunction(max, Nullable(Int64)) COMMENT 'Of the input, read from a cache' CODEC(ZSTD(1)),
    cache_write_tokens SimpleAggregateFunction(max, Nullable(Int64)) COMMENT 'Of the input, written to a cache' CODEC(ZSTD(1)),
    reasoning_tokens   SimpleAggregateFunction(max, Nullable(Int64)) COMMENT 'Of the output, reasoning' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}AggregatingMergeTree
ORDER BY (key_hash, key_ts, rank, numbers)
COMMENT 'Every distinct set of numbers that was ever said for a claimed key';

-- What was heard of every writer, fed beside the ledger: the ledger drops copies and replaces completed records, so its own numbers prove nothing.
-- distributed: deliveries
CREATE TABLE IF NOT EXISTS deliveries{{local}}{{on_cluster}}
(
    writer_id    String COMMENT 'The process that numbers its records' CODEC(ZSTD(1)),
    seqs         AggregateFunction(groupBitmap, UInt64) COMMENT 'Numbers of the usage records heard, understood or not' CODEC(ZSTD(1)),
    calls        AggregateFunction(groupBitmap, UInt64) COMMENT 'Call numbers of automatic keys that were understood: each must be in the ledger' CODEC(ZSTD(1)),
    quarantined  AggregateFunction(groupBitmap, UInt64) COMMENT 'Numbers of the usage records that were not understood: each must be in quarantine' CODEC(ZSTD(1)),
    refused      SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Ranges of numbers whose records the journal could not take' CODEC(ZSTD(1)),
    damaged      SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Ranges of numbers whose records are torn in the journal' CODEC(ZSTD(1)),
    last_seqs    SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'The highest number, as each closing record states it' CODEC(ZSTD(1)),
    closed_by    SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Writers that closed this one in its place' CODEC(ZSTD(1)),
    first_heard  SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'When its first record arrived' CODEC(ZSTD(1)),
    last_heard   SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'When its latest record arrived' CODEC(ZSTD(1)),
    service_name SimpleAggregateFunction(max, String) COMMENT 'Its service' CODEC(ZSTD(1)),
    environment  SimpleAggregateFunction(max, String) COMMENT 'Its deployment environment' CODEC(ZSTD(1)),
    host_name    SimpleAggregateFunction(max, String) COMMENT 'Its host' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}AggregatingMergeTree
ORDER BY writer_id
COMMENT 'What was heard of every writer: the proof that nothing is missing';

-- Records that are not understood, whole, so that they can be put back. One row per record after FINAL: `digest` is the record's, `version` the moment
-- of its latest quarantining or replay.
-- distributed: quarantine by cityHash64(JSONExtractString(Body, 'key'))
CREATE TABLE IF NOT EXISTS quarantine{{local}}{{on_cluster}}
(
    digest             UInt128 COMMENT 'Hash of the whole record: copies of one record share it' CODEC(ZSTD(1)),
    version            DateTime64(3, 'UTC') COMMENT 'When it was last put here or replayed' CODEC(ZSTD(1)),
    replayed_at        Nullable(DateTime64(3, 'UTC')) COMMENT 'When a replay of it was understood; NULL: not yet' CODEC(ZSTD(1)),
    reason             LowCardinality(String) COMMENT 'Why it is not understood',
    event              LowCardinality(String) COMMENT 'usage, closing or refused, or what was given instead',
    writer_id          String COMMENT 'The process that wrote it, as given' CODEC(ZSTD(1)),
    seq                UInt64 COMMENT 'Its number among its writer''s; 0 where none is stated' CODEC(ZSTD(1)),
    arrived_at         DateTime64(3, 'UTC') COMMENT 'When it was inserted' CODEC(ZSTD(1)),
    Timestamp          DateTime64(9, 'UTC') COMMENT 'The record''s time' CODEC(ZSTD(1)),
    TraceId            String COMMENT 'The record''s trace' CODEC(ZSTD(1)),
    SpanId             String COMMENT 'The record''s span' CODEC(ZSTD(1)),
    TraceFlags         UInt8 COMMENT 'Trace flags',
    SeverityText       LowCardinality(String) COMMENT 'Severity as text',
    SeverityNumber     UInt8 COMMENT 'Severity as number',
    ServiceName        LowCardinality(String) COMMENT 'The service that sent it',
    Body               String COMMENT 'The record''s body' CODEC(ZSTD(1)),
    ResourceSchemaUrl  LowCardinality(String) COMMENT 'Schema of the resource attributes',
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Resource attributes' CODEC(ZSTD(1)),
    ScopeSchemaUrl     LowCardinality(String) COMMENT 'Schema of the scope attributes',
    ScopeName          String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion       LowCardinality(String) COMMENT 'Its version',
    ScopeAttributes    Map(LowCardinality(String), String) COMMENT 'Scope attributes' CODEC(ZSTD(1)),
    LogAttributes      Map(LowCardinality(String), String) COMMENT 'The record''s attributes: all that was said' CODEC(ZSTD(1)),
    EventName          String COMMENT 'Event name' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree(version)
ORDER BY digest
COMMENT 'Records of the landing table that are not understood, whole, with the reason';

-- Records that come from spans and events of other instrumentations: who told of a call, and the tree of the spans that tell of calls.

ALTER TABLE usage_parsed{{on_cluster}} ADD COLUMN IF NOT EXISTS origin_name String;
ALTER TABLE usage_parsed{{on_cluster}} ADD COLUMN IF NOT EXISTS instrumentation String;
ALTER TABLE usage_ledger{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS origin_name LowCardinality(String) DEFAULT 'recorded'
    COMMENT 'Who told of the call, as it was given: recorded or bridged' CODEC(ZSTD(1));
ALTER TABLE usage_ledger{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS instrumentation LowCardinality(String)
    COMMENT 'The instrumentation scope that states a bridged usage' CODEC(ZSTD(1));

-- Filled while the bridge is on: spans of calls and of what is around calls. A span around a counted call states that call's tokens once more.
-- distributed: bridge_spans by cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS bridge_spans{{local}}{{on_cluster}}
(
    trace_id  String COMMENT 'The trace' CODEC(ZSTD(1)),
    span_id   String COMMENT 'The span' CODEC(ZSTD(1)),
    parent_id String COMMENT 'The span around it' CODEC(ZSTD(1)),
    is_call   Bool COMMENT 'Whether the span states the tokens of a call' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree
ORDER BY (trace_id, span_id, parent_id, is_call)
SETTINGS {{no_block_deduplication}}
COMMENT 'The spans of calls and the spans around them, of other instrumentations and of tokentrail, while the bridge is on';

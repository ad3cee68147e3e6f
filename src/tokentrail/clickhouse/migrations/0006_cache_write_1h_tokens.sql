-- Counts that usages state since this version.

ALTER TABLE usage_parsed{{on_cluster}} ADD COLUMN IF NOT EXISTS cache_write_1h_tokens Nullable(Int64);
ALTER TABLE usage_ledger{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS cache_write_1h_tokens Nullable(Int64)
    COMMENT 'Of the input tokens written to a cache, those kept for an hour: a subset, never to be added' CODEC(T64, ZSTD(1));

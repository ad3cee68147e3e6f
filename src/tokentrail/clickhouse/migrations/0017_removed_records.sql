-- Which records went with what was removed on purpose, and which removal is removing a key: two removals at once leave each other's keys alone.
ALTER TABLE removed_calls{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS records AggregateFunction(groupBitmap, UInt64)
    COMMENT 'Numbers of the records that the ledger had of what was removed from it: also of claimed keys, and of those that completed a call' CODEC(ZSTD(1));
ALTER TABLE removing_keys{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS removal UInt64
    COMMENT 'The number of the removal: nanoseconds since 1970 at its beginning' CODEC(ZSTD(1));

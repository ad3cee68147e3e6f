-- What was counted, in a few bits beside what was heard: rows that were altered, doubled or added by hand are named, not only those that are gone.
ALTER TABLE deliveries{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS checks AggregateFunction(groupBitmap, UInt64)
    COMMENT 'Of each understood usage record its number, and 12 bits of a hash of what it counts; none of records from before this column' CODEC(ZSTD(1));
ALTER TABLE usage_day_builds{{on_cluster}} ADD COLUMN IF NOT EXISTS sums UInt64 DEFAULT 0
    COMMENT 'A sum of hashes of the build''s rows in usage_days; 0: none is known';

-- What was counted, in a few bits beside what was heard: rows that were altered, doubled or added by hand are named, not only those that are gone.
ALTER TABLE deliveries{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS checks AggregateFunction(groupBitmap, UInt64)
    COMMENT 'Of each understood usage record its number, and 12 bits of a hash of what it counts; none of records from before this column' CODEC(ZSTD(1));
ALTER TABLE usage_day_builds{{on_cluster}} ADD COLUMN IF NOT EXISTS sums UInt64 DEFAULT 0
    COMMENT 'A sum of hashes of the build''s rows in usage_days; 0: none is known';

-- The times that `tokentrail quarantine fix --time arrival` gave to records whose own time cannot be believed: for a call always the same one, whichever
-- copy or completion of its record is fixed when, so that the call counts once.
-- distributed: quarantine_times by cityHash64(identity)
CREATE TABLE IF NOT EXISTS quarantine_times{{local}}{{on_cluster}}
(
    identity   String COMMENT 'Writer, call number and key of an automatic key, the key alone of a claimed one, as the record states them' CODEC(ZSTD(1)),
    time       DateTime64(9, 'UTC') COMMENT 'The time that was given' CODEC(ZSTD(1)),
    precedence Int64 COMMENT 'Greater the earlier it was given: the first one stays' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree(precedence)
ORDER BY identity
COMMENT 'The times that were given to records whose own time cannot be believed';

-- What was removed on purpose, so that it does not come back and is not called lost: `tokentrail erase`, `tokentrail retention`.

-- Up to when usages of a tenant are not taken any more. On a cluster every node has all rows.
CREATE TABLE IF NOT EXISTS removals{{on_cluster}}
(
    cause   LowCardinality(String) COMMENT 'erasure or retention',
    tenant  UInt128 COMMENT 'Hash of the tenant, whose name is not kept; 0: every tenant that has no row of its own in the same run of retention',
    version UInt64 COMMENT 'The number of the erasure, or of the run of retention: of retention the latest run counts',
    until   DateTime64(9, 'UTC') COMMENT 'Usages before this moment are not taken: their number is kept in deliveries.untaken, nothing else',
    why     String COMMENT 'Why it was removed, as given',
    at      DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
)
ENGINE = {{everywhere.removals}}
ORDER BY (cause, tenant, version)
COMMENT 'Up to when usages of tenants were erased or have expired: arrivals before that are not taken';

-- How long usages are kept: every version of each rule, of which the latest counts. On a cluster every node has all rows.
CREATE TABLE IF NOT EXISTS retention_rules{{on_cluster}}
(
    tenant    String COMMENT 'Whose usages; empty together with everyone',
    everyone  Bool COMMENT 'Whether the rule is that of all tenants without a rule of their own',
    version   UInt64 COMMENT 'The number of the version: the latest counts',
    days      UInt32 COMMENT 'How many days usages are kept; 0: for good',
    keep_sums Bool COMMENT 'Whether the sums by day of what is removed are kept, see the view usage_kept',
    removed   Bool DEFAULT false COMMENT 'Whether the rule was removed by this version',
    at        DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
)
ENGINE = {{everywhere.retention_rules}}
ORDER BY (everyone, tenant, version)
COMMENT 'How long usages of each tenant are kept';

-- The calls and the records in quarantine that were removed on purpose: `verify` does not call them lost.
-- distributed: removed_calls by cityHash64(writer_id)
CREATE TABLE IF NOT EXISTS removed_calls{{local}}{{on_cluster}}
(
    writer_id   String COMMENT 'The process that numbers its records' CODEC(ZSTD(1)),
    calls       AggregateFunction(groupBitmap, UInt64) COMMENT 'Call numbers of automatic keys that were removed from the ledger' CODEC(ZSTD(1)),
    quarantined AggregateFunction(groupBitmap, UInt64) COMMENT 'Numbers of the records that were removed from quarantine' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}AggregatingMergeTree
ORDER BY writer_id
COMMENT 'What was removed on purpose of what each writer has told: identities alone';

-- The claimed keys that a removal is about to remove: emptied at its end. A removal that was interrupted is finished by the next one.
-- distributed: removing_keys by cityHash64(key_hash)
CREATE TABLE IF NOT EXISTS removing_keys{{local}}{{on_cluster}}
(
    key_hash UInt128 COMMENT 'Hash of the key' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}ReplacingMergeTree
ORDER BY key_hash
SETTINGS {{no_block_deduplication}}
COMMENT 'The claimed keys that are being removed';

ALTER TABLE usage_parsed{{on_cluster}} ADD COLUMN IF NOT EXISTS not_taken Bool;
ALTER TABLE deliveries{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS untaken AggregateFunction(groupBitmap, UInt64)
    COMMENT 'Numbers of the usage records that arrived after their usage was erased or had expired: heard, and not taken' CODEC(ZSTD(1));

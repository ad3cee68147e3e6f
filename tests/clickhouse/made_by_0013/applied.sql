-- What was applied to this database. Made before the first migration; on a cluster one table for all shards and replicas.
CREATE TABLE IF NOT EXISTS migrations
(
    name       String COMMENT 'The file''s name, without .sql',
    checksum   String COMMENT 'SHA-256 of the text that was run',
    cluster    String COMMENT 'The cluster it was rendered for; empty: a single server',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When',
    package    String COMMENT 'Version of tokentrail that applied it',
    in_place   Array(String) COMMENT 'Of a definition: hashes of the view as the servers showed it once it was put in place'
)
ENGINE = MergeTree
ORDER BY name
COMMENT 'Migrations and definitions that were applied to this database';

ALTER TABLE migrations
    ADD COLUMN IF NOT EXISTS in_place Array(String) COMMENT 'Of a definition: hashes of the view as the servers showed it once it was put in place';

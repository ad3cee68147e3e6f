-- What the records of all processes tell of providers' jobs (batches, fine-tunings, background responses): who created a job, where its results are, and
-- whether the job itself states its usage. The view `usage` reads it.
-- distributed: usage_jobs
CREATE TABLE IF NOT EXISTS usage_jobs{{local}}{{on_cluster}}
(
    job      String COMMENT 'The job''s key' CODEC(ZSTD(1)),
    results  SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'Keys under which the job''s results are read, other than its own' CODEC(ZSTD(1)),
    stated   SimpleAggregateFunction(max, UInt8) COMMENT 'Whether the job states its usage itself, so that its results do not count' CODEC(ZSTD(1)),
    creation AggregateFunction(argMin, Tuple(String, String, String, String, Bool), DateTime64(9, 'UTC')) COMMENT 'Tenant, operation, operation id, metadata and whether it was cut, as the earliest record of the creation states them' CODEC(ZSTD(1))
)
ENGINE = {{replicated}}AggregatingMergeTree
ORDER BY job
COMMENT 'What is known of providers'' jobs: for whom each was created, and what of it counts';

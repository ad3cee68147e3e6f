-- The proof costs each INSERT less. One column has what closing records and refusals state: with four, planning the view and writing its part took a
-- millisecond or two more. And a check has 10 bits: a bitmap takes numbers and checks in blocks of 65,536 values, so 64 records share a block where 16
-- did; verify's scan of the ledger became a sixth faster, and the bitmaps a sixth smaller. The former columns keep what they have, and are read for ever.
ALTER TABLE deliveries{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS statements
    SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(event String, last_seq UInt64, closed_by String, refused String, damaged String)))
    COMMENT 'What its closing records and refusals state: the highest number, who closed it in its place, ranges of refused and of torn numbers' CODEC(ZSTD(1));
ALTER TABLE deliveries{{local}}{{on_cluster}} ADD COLUMN IF NOT EXISTS seq_checks AggregateFunction(groupBitmap, UInt64)
    COMMENT 'Of each understood usage record its number, and 10 bits of a hash of what it counts; of earlier records see checks' CODEC(ZSTD(1));
ALTER TABLE deliveries{{local}}{{on_cluster}}
    COMMENT COLUMN refused 'Of records from before the column statements: ranges of numbers whose records the journal could not take';
ALTER TABLE deliveries{{local}}{{on_cluster}}
    COMMENT COLUMN damaged 'Of records from before the column statements: ranges of numbers whose records are torn in the journal';
ALTER TABLE deliveries{{local}}{{on_cluster}}
    COMMENT COLUMN last_seqs 'Of records from before the column statements: the highest number, as each closing record states it';
ALTER TABLE deliveries{{local}}{{on_cluster}}
    COMMENT COLUMN closed_by 'Of records from before the column statements: writers that closed this one in its place';
ALTER TABLE deliveries{{local}}{{on_cluster}}
    COMMENT COLUMN checks 'Of records from before the column seq_checks: their numbers, and 12 bits of the hash, of which the lower 10 are compared';

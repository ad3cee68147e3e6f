-- title: What became of every record that a process has announced: stored, in quarantine, refused, damaged, absent
-- asked by: SREs
-- parameter: services Array(String) = | Only these services; empty for all
-- unit: records
-- column: service_name | The service
-- column: processes | How many of its processes were heard
-- column: announced | How many records these processes have numbered: the sum of the columns that follow
-- column: stored | Records that the ledger counts, or whose call it counts by another record of the same call
-- column: quarantined | Records in quarantine
-- column: refused | Records that a journal could not take, as its process told
-- column: damaged | Records that are torn in a journal
-- column: absent | Records that have not arrived: they wait on a disk (tokentrail journal status), or are lost
-- column: lost | Records that arrived and are gone from the ledger
-- column: altered | Records whose row in the ledger counts something else than what arrived
-- column: removed | Records of calls that were erased or have expired, on purpose, and of such that arrived since and were not taken
-- column: added | Rows of the ledger with numbers that never arrived: not among those announced
-- column: proven | Whether nothing is absent, lost, altered or added
--
-- The proof as one statement: announced = stored + quarantined + refused + damaged + absent + lost + altered + removed. A
-- removed number that the ledger has (again) is stored. Of a key that was removed the records are told as stored that the ledger had no rows of any
-- more, since a better or earlier record had taken their place.
WITH
    kept AS
    (
        SELECT writer_id, groupBitmapState(seq) AS waiting, bitmapCardinality(waiting) AS quarantined
        FROM quarantine FINAL
        WHERE replayed_at IS NULL AND event = 'usage' AND seq > 0
        GROUP BY writer_id
    ),
    odd AS
    (
        SELECT writer_id, sum(gone) AS lost, sum(other) AS altered, sum(more) AS added
        FROM
        (
            SELECT writer_id, length(lost) AS gone, length(altered) AS other, length(added) AS more FROM ({{queries.compared_rows}})
            UNION ALL
            SELECT writer_id, 1 AS gone, 0 AS other, 0 AS more FROM ({{queries.lost_keys}})
            UNION ALL
            SELECT writer_id, length(seqs) AS gone, 0 AS other, 0 AS more FROM ({{queries.lost_quarantine}})
        )
        GROUP BY writer_id
    ),
    told AS ({{queries.removed_numbers}}),
    gone AS
    (
        SELECT
            told.writer_id AS writer_id,
            bitmapCardinality(bitmapAndnot(bitmapAnd(told.numbers, heard.arrived), bitmapOr(present.held, kept.waiting))) AS removed
        FROM told
        LEFT JOIN
        (
            SELECT writer_id, groupBitmapMergeState(seqs) AS arrived
            FROM deliveries
            WHERE writer_id GLOBAL IN (SELECT writer_id FROM told)
            GROUP BY writer_id
        ) AS heard ON heard.writer_id = told.writer_id
        LEFT JOIN
        (
            SELECT writer_id, bitmapOr(groupBitmapState(seq), groupBitmapState(call)) AS held
            FROM usage_ledger
            WHERE writer_id GLOBAL IN (SELECT writer_id FROM told)
            GROUP BY writer_id
        ) AS present ON present.writer_id = told.writer_id
        LEFT JOIN kept ON kept.writer_id = told.writer_id
    )
SELECT
    service_name,
    countIf(b.announced > 0) AS processes,
    sum(b.announced) AS announced,
    sum(b.arrived) - quarantined - lost - altered - removed AS stored,
    sum(kept.quarantined) AS quarantined,
    sum(b.refused) AS refused,
    sum(b.damaged) AS damaged,
    sum(b.absent) AS absent,
    sum(odd.lost) AS lost,
    sum(odd.altered) AS altered,
    sum(gone.removed) AS removed,
    sum(odd.added) AS added,
    toBool(absent = 0 AND lost = 0 AND altered = 0 AND added = 0) AS proven
FROM ({{queries.balances}}) AS b
FULL JOIN odd USING (writer_id)
LEFT JOIN kept USING (writer_id)
LEFT JOIN gone USING (writer_id)
WHERE empty({services:Array(String)}) OR has({services:Array(String)}, service_name)
GROUP BY service_name
ORDER BY proven, announced DESC, service_name

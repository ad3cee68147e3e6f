-- title: Records that were put in quarantine and are not there
-- asked by: tokentrail verify
-- unit: record numbers of a writer
-- column: writer_id | The process that wrote the records
-- column: seqs | Numbers of the records, sorted
SELECT
    writer_id,
    arraySort(bitmapToArray(bitmapAndnot(heard, present))) AS seqs
FROM
(
    SELECT writer_id, groupBitmapMergeState(quarantined) AS heard
    FROM deliveries
    GROUP BY writer_id
) AS told
LEFT JOIN
(
    SELECT writer_id, groupBitmapMergeState(numbers) AS present
    FROM
    (
        SELECT writer_id, groupBitmapState(seq) AS numbers
        FROM quarantine
        GROUP BY writer_id
        UNION ALL
        SELECT writer_id, groupBitmapMergeState(quarantined) AS numbers
        FROM removed_calls
        GROUP BY writer_id
    )
    GROUP BY writer_id
) AS kept USING (writer_id)
WHERE bitmapAndnotCardinality(heard, present) > 0
ORDER BY writer_id

-- Records that were put in quarantine, but which it does not hold any more.
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
    SELECT writer_id, groupBitmapState(seq) AS present
    FROM quarantine
    GROUP BY writer_id
) AS kept USING (writer_id)
WHERE bitmapAndnotCardinality(heard, present) > 0
ORDER BY writer_id

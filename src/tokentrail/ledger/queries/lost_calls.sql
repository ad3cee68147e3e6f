-- title: Calls that arrived and are not in the ledger
-- asked by: tokentrail verify
-- unit: call numbers of a writer
-- column: writer_id | The process that wrote the records
-- column: calls | Numbers of the calls, sorted
--
-- An automatic key's identity is its writer and call number, whichever record of the call won, so the two bitmaps must be equal, but for what was
-- removed on purpose.
SELECT
    writer_id,
    arraySort(bitmapToArray(bitmapAndnot(heard, present))) AS calls
FROM
(
    SELECT writer_id, groupBitmapMergeState(calls) AS heard
    FROM deliveries
    GROUP BY writer_id
) AS told
LEFT JOIN
(
    SELECT writer_id, groupBitmapMergeState(numbers) AS present
    FROM
    (
        SELECT writer_id, groupBitmapState(call) AS numbers
        FROM usage_ledger
        WHERE key_kind = 'automatic'
        GROUP BY writer_id
        UNION ALL
        SELECT toLowCardinality(writer_id) AS writer_id, groupBitmapMergeState(calls) AS numbers
        FROM removed_calls
        GROUP BY writer_id
    )
    GROUP BY writer_id
) AS ledger USING (writer_id)
WHERE bitmapAndnotCardinality(heard, present) > 0
ORDER BY writer_id

-- title: The numbers of what was removed on purpose, and of what was not taken since
-- asked by: the question conservation, the query reconcile_landing
-- unit: numbers of a writer's calls and records
-- column: writer_id | The process that numbers its records
-- column: numbers | The numbers, as a bitmap
--
-- A call's number is that of its first record. Of writers of whom nothing was removed there is no row.
SELECT writer_id, groupBitmapMergeState(removed) AS numbers
FROM
(
    SELECT writer_id, groupBitmapMergeState(untaken) AS removed
    FROM deliveries
    GROUP BY writer_id
    UNION ALL
    SELECT
        writer_id,
        bitmapOr(bitmapOr(groupBitmapMergeState(removed_calls.calls), groupBitmapMergeState(removed_calls.records)),
            groupBitmapMergeState(removed_calls.quarantined)) AS removed
    FROM removed_calls
    GROUP BY writer_id
)
GROUP BY writer_id
HAVING bitmapCardinality(numbers) > 0
ORDER BY writer_id

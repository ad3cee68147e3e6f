-- title: Calls that arrived and are not in the ledger, and rows of the ledger that are not what arrived
-- asked by: tokentrail verify
-- unit: numbers of a writer's calls and records
-- column: writer_id | The process that wrote the records, or that a row names
-- column: lost | Numbers of calls that arrived and have no row, sorted
-- column: altered | Numbers of records whose row counts something else than what arrived, sorted
-- column: added | Numbers of rows that never arrived, sorted
--
-- An automatic key's identity is its writer and call number, whichever record of the call won, so the two bitmaps of calls must be equal, but for what
-- was removed on purpose. Each row's number and check must be among those heard. Of 1,024 altered rows one keeps its check by chance; records from before
-- there were checks are not compared. The first checks had 12 bits, of which the lower 10 are those of today.
SELECT * EXCEPT (odd)
FROM
(
    SELECT
        writer_id,
        arraySort(bitmapToArray(bitmapAndnot(heard, present))) AS lost,
        arrayCompact(arrayMap(found -> intDiv(found, 1024), if(is_checked, arraySort(bitmapToArray(bitmapAndnot(counted, checks))), []))) AS odd,
        arrayFilter(
            seq -> bitmapContains(numbers, seq) AND bitmapCardinality(bitmapSubsetInRange(checks, seq * 1024, (seq + 1) * 1024)) > 0, odd) AS altered,
        arrayFilter(seq -> NOT bitmapContains(numbers, seq), odd) AS added
    FROM
    (
        SELECT writer_id, bitmapAndnot(all_calls, removed) AS heard, numbers, checks
        FROM
        (
            SELECT
                writer_id,
                groupBitmapMergeState(calls) AS all_calls,
                groupBitmapMergeState(seqs) AS numbers,
                groupBitmapMergeState(deliveries.checks) AS longer,
                bitmapOr(
                    groupBitmapMergeState(seq_checks),
                    arrayReduce(
                        'groupBitmapState', arrayMap(check -> intDiv(check, 4096) * 1024 + bitAnd(check, 1023), arraySort(bitmapToArray(longer))))
                ) AS checks
            FROM deliveries
            GROUP BY writer_id
        ) AS stated
        LEFT JOIN
        (
            SELECT writer_id, groupBitmapMergeState(removed_calls.calls) AS removed
            FROM removed_calls
            GROUP BY writer_id
        ) AS on_purpose USING (writer_id)
    ) AS told
    FULL JOIN
    (
        SELECT
            writer_id,
            groupBitmapStateIf(call, key_kind = 'automatic') AS present,
            groupBitmapState(
                seq * 1024 + bitAnd(cityHash64(({{each checked_texts: cityHash64($name), }}{{each checked: $name, }}key_hash)){{each later_checked:  + if($name IS NULL, 0, cityHash64('$name', $name))}}, 1023)) AS counted
        FROM usage_ledger
        WHERE writer_id != ''
        GROUP BY writer_id
    ) AS ledger USING (writer_id)
    WHERE bitmapAndnotCardinality(heard, present) > 0
        OR ((bitmapCardinality(checks) > 0 OR bitmapCardinality(numbers) = 0) AS is_checked AND bitmapAndnotCardinality(counted, checks) > 0)
)
ORDER BY writer_id

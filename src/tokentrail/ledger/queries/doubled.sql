-- title: Calls and claimed keys that the ledger of a cluster counts more than once
-- asked by: tokentrail verify
-- unit: one row a writer
-- column: writer_id | The process that wrote the records; of claimed keys one of them
-- column: calls | Numbers of calls that count more than once, sorted
-- column: keys | Claimed keys that count more than once, sorted; of four-part keys without the time at their end
--
-- Copies of a record meet only on one shard: on two they count twice. The sharding key of a Distributed table was changed, or rows were inserted past it.
SELECT *
FROM
(
    SELECT writer AS writer_id, arraySort(groupArray(call)) AS calls, CAST([], 'Array(String)') AS keys
    FROM
    (
        SELECT CAST(writer_id, 'String') AS writer, call
        FROM usage_ledger FINAL
        WHERE key_kind = 'automatic' AND CAST(writer_id, 'String') GLOBAL IN
        (
            SELECT writer
            FROM
            (
                SELECT CAST(writer_id, 'String') AS writer, count() AS rows, groupBitmap(call) AS different
                FROM usage_ledger FINAL
                WHERE key_kind = 'automatic'
                GROUP BY writer
            )
            WHERE rows > different
        )
        GROUP BY writer, call
        HAVING count() > 1
    )
    GROUP BY writer
    UNION ALL
    SELECT max(writer) AS writer_id, CAST([], 'Array(UInt64)') AS calls, arraySort(groupArray(key)) AS keys
    FROM
    (
        SELECT min(key_head) AS key, max(CAST(writer_id, 'String')) AS writer
        FROM usage_ledger FINAL
        WHERE key_kind != 'automatic'
        GROUP BY key_ts, key_hash
        HAVING count() > 1
    )
    HAVING notEmpty(keys)
)
ORDER BY writer_id, notEmpty(keys)

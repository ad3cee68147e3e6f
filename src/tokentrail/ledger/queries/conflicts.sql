-- title: Claimed keys with different numbers in their records
-- asked by: tokentrail verify
-- unit: tokens and calls; one row per set of numbers
-- column: key | The claimed key
-- column: source | Where the weaker count of this set comes from: reported, estimated or unknown
-- column: counts | Whether the ledger counts this set
-- column: calls | Calls that this set stands for
{{each main_counts: -- column: $name | $comment}}
-- column: tenants | The tenants that the records state
-- column: key_ts | The time that the key states; 1970 where it states none
-- column: first_ts | Earliest time of a record with this set
-- column: last_ts | Latest time of a record with this set
-- column: writer_id | One of the writers of these records
--
-- A key is contested if one rank has more than one set of numbers, or if the key was given different times of its own (such a key counts more than
-- once). All sets of numbers are listed.
WITH
    said AS
    (
        SELECT
            key_hash, key_ts, rank, numbers,
            min(key) AS key,
            arraySort(groupUniqArrayArray(tenants)) AS tenants,
            min(first_ts) AS first_ts,
            max(last_ts) AS last_ts,
            max(writer_id) AS writer_id,
            {{each main_counts: max($name) AS $name,}}
            max(calls) AS calls
        FROM key_conflicts
        GROUP BY key_hash, key_ts, rank, numbers
    ),
    contested AS
    (
        SELECT key_hash
        FROM said
        GROUP BY key_hash, rank
        HAVING uniqExact(numbers) > 1
        UNION DISTINCT
        SELECT key_hash
        FROM said
        GROUP BY key_hash
        HAVING uniqExact(key_ts) > 1
    ),
    winners AS
    (
        SELECT key_hash, key_ts,
            {{each main_counts: $name,}}
            calls,
            least(CAST(input_source, 'Int8'), CAST(output_source, 'Int8')) AS rank
        FROM usage_ledger FINAL
        WHERE key_hash GLOBAL IN (SELECT key_hash FROM contested)
    )
SELECT
    key,
    ['unknown', 'estimated', 'reported'][bitAnd(rank, 3) + 1] AS source,
    toBool((key_hash, key_ts, bitAnd(rank, 3), calls{{each main_counts: , ifNull($name, -1)}}) IN
    (
        SELECT key_hash, key_ts, rank, calls{{each main_counts: , ifNull($name, -1)}}
        FROM winners
    )) AS counts,
    calls,
    {{each main_counts: $name,}}
    tenants,
    key_ts,
    first_ts,
    last_ts,
    writer_id
FROM said
WHERE key_hash GLOBAL IN (SELECT key_hash FROM contested)
ORDER BY key, rank, first_ts, key_ts, numbers

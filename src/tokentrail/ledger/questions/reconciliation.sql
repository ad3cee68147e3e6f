-- title: What has arrived and is not in the ledger any more, or differs
-- asked by: SREs
-- parameter: services Array(String) = | Only these services; empty for all
-- unit: calls, rows, keys, records and days
-- column: finding | What differs
-- column: service_name | The service that sent it
-- column: writer_id | The process that wrote the records; of a key one of them; empty for days
-- column: differing | How many of these
-- column: examples | The first five: numbers of calls or records, keys, or days
--
-- What tokentrail verify compares, at any time: what was heard of each process, and what lies in the ledger. Bills of providers are not read.
WITH
    rows_apart AS
    (
        SELECT found.1 AS finding, writer_id, length(found.2) AS differing, arrayMap(number -> toString(number), found.2) AS named
        FROM ({{queries.compared_rows}})
        ARRAY JOIN [('calls arrived and are not in the ledger', lost), ('rows of the ledger are not what arrived', altered), ('rows of the ledger never arrived', added)] AS found
        WHERE notEmpty(found.2)
    ),
    unstated AS
    (
        SELECT 'rows of claimed keys count what no record has stated' AS finding, writer_id, count() AS differing, arraySort(groupArray(key)) AS named
        FROM ({{queries.unstated_keys}})
        GROUP BY writer_id
    ),
    altered_quarantine AS
    (
        SELECT 'records in quarantine are not as they arrived' AS finding, writer_id, count() AS differing, arrayMap(seq -> toString(seq), arraySort(groupArray(seq))) AS named
        FROM ({{queries.altered_quarantine}})
        GROUP BY writer_id
    ),
    altered_days AS
    (
        SELECT 'days have sums that are not those of the ledger' AS finding, '' AS writer_id, count() AS differing, arrayMap(day -> toString(day), arraySort(groupArray(day))) AS named
        FROM ({{queries.days_different}})
        HAVING differing > 0
    ),
    lost_quarantine AS
    (
        SELECT 'records are gone from quarantine' AS finding, writer_id, length(seqs) AS differing, arrayMap(seq -> toString(seq), seqs) AS named
        FROM ({{queries.lost_quarantine}})
    ),
    lost_keys AS
    (
        SELECT 'claimed keys arrived and are not in the ledger' AS finding, writer_id, count() AS differing, arraySort(groupArray(key)) AS named
        FROM ({{queries.lost_keys}})
        GROUP BY writer_id
    ),
    contested AS
    (
        SELECT 'claimed keys were given different numbers' AS finding, writer_id, count() AS differing, arraySort(groupArray(key)) AS named
        FROM (SELECT key, max(writer_id) AS writer_id FROM ({{queries.conflicts}}) GROUP BY key)
        GROUP BY writer_id
    )
SELECT
    finding,
    told.service_name AS service_name,
    found.writer_id AS writer_id,
    found.differing AS differing,
    arrayStringConcat(arraySlice(found.named, 1, 5), ', ') AS examples
FROM
(
    SELECT * FROM rows_apart
    UNION ALL
    SELECT * FROM unstated
    UNION ALL
    SELECT * FROM altered_quarantine
    UNION ALL
    SELECT * FROM altered_days
    UNION ALL
    SELECT * FROM lost_keys
    UNION ALL
    SELECT * FROM lost_quarantine
    UNION ALL
    SELECT * FROM contested
) AS found
LEFT JOIN (SELECT writer_id, max(service_name) AS service_name FROM deliveries GROUP BY writer_id) AS told ON told.writer_id = found.writer_id
WHERE empty({services:Array(String)}) OR has({services:Array(String)}, told.service_name)
ORDER BY differing DESC, finding, service_name, writer_id

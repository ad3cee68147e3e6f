-- title: The writers that the query writers leaves out, summed by service
-- asked by: tokentrail verify
-- parameter: all UInt8 = 1 | The same value as for writers
-- parameter: named Array(String) = | The same value as for writers
-- unit: writers and records
-- column: service_name | The service
-- column: writers | How many of its writers are closed and complete
-- column: events | How many records they wrote
-- column: closed_by_others | How many of these writers another process closed
-- column: first_heard | When the first record of any of them arrived, UTC
-- column: last_heard | When the latest record of any of them arrived, UTC
SELECT
    service_name,
    count() AS writers,
    sum(events) AS events,
    countIf(notEmpty(closed_by)) AS closed_by_others,
    min(first_heard) AS first_heard,
    max(last_heard) AS last_heard
FROM ({{queries.writers_heard}})
WHERE NOT ({all:UInt8} = 1 OR NOT plain OR has({named:Array(String)}, writer_id))
GROUP BY service_name
ORDER BY service_name

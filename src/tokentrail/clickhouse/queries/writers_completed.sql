-- The writers that writers.sql leaves out, added up: closed, all their numbers there, and nothing else to be said.
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

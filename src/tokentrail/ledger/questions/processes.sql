-- title: What has arrived from the processes of each service, and how many numbers are missing
-- asked by: SREs
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- parameter: services Array(String) = | Only these services; empty for all
-- unit: writers and records
-- column: service_name | The service
-- column: environment | Its deployment environment
-- column: writers | Processes that have written records within the time, each with numbers of its own
-- column: open_writers | Of these, those that have not ended, or have ended without a closing record so far
-- column: records | Their records that arrived
-- column: absent_numbers | Their numbers that did not arrive: on their way, missing, refused or damaged; tokentrail verify tells which
-- column: writers_with_gaps | Writers with such numbers
-- column: refusing_writers | Writers whose journal has refused records
-- column: damaged_writers | Writers with torn records in their journal
-- column: first_heard | When the first record of any of them arrived, UTC
-- column: last_heard | When the latest record of any of them arrived, UTC
SELECT
    service_name,
    environment,
    count() AS writers,
    countIf(empty(last_seqs)) AS open_writers,
    sum(w.events) AS records,
    sum(w.end - w.events) AS absent_numbers,
    countIf(w.end > w.events) AS writers_with_gaps,
    countIf(notEmpty(refused)) AS refusing_writers,
    countIf(notEmpty(damaged)) AS damaged_writers,
    min(w.first_heard) AS first_heard,
    max(w.last_heard) AS last_heard
FROM ({{queries.writers_heard}}) AS w
WHERE w.last_heard >= {from:DateTime64(9, 'UTC')} AND w.first_heard < {to:DateTime64(9, 'UTC')}
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, service_name))
GROUP BY service_name, environment
ORDER BY absent_numbers DESC, refusing_writers DESC, service_name, environment

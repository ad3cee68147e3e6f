-- title: Writers with findings
-- asked by: tokentrail verify
-- parameter: all UInt8 = 1 | 1 for every writer
-- parameter: named Array(String) = | Writers to return in any case
-- unit: one row a writer
-- column: writer_id | The process that numbers its records
-- column: service_name | Its service
-- column: environment | Its deployment environment
-- column: host_name | Its host
-- column: first_heard | When its first record arrived, UTC
-- column: last_heard | When its latest record arrived, UTC
-- column: events | How many of its usage records arrived
-- column: highest | The highest number among them; 0 where none arrived
-- column: last_seqs | The highest number, as each closing record states it
-- column: closed_by | Adopters that closed this writer
-- column: refused | Ranges of numbers that the journal refused
-- column: damaged | Ranges of numbers that are torn in the journal
-- column: end | The highest number that any record states
-- column: gap_after | Of each gap, the number before it
-- column: gap_before | Of each gap, the number after it
SELECT * EXCEPT (closing, plain, fence)
FROM ({{queries.writers_heard}})
WHERE {all:UInt8} = 1 OR NOT plain OR has({named:Array(String)}, writer_id)
ORDER BY last_heard, writer_id

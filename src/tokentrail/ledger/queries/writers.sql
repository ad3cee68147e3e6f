-- title: Writers of whom something is to be said
-- asked by: tokentrail verify
-- parameter: all UInt8 = 1 | 1 for every writer
-- parameter: named Array(String) = | Writers that are wanted whatever they have to say
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
-- column: closed_by | Writers that closed this one in its place
-- column: refused | Ranges of numbers that the journal could not take
-- column: damaged | Ranges of numbers that are torn in the journal
-- column: end | The highest number that is known of
-- column: gap_after | Of each gap, the number before it
-- column: gap_before | Of each gap, the number after it
SELECT * EXCEPT (closing, plain, fence)
FROM ({{queries.writers_heard}})
WHERE {all:UInt8} = 1 OR NOT plain OR has({named:Array(String)}, writer_id)
ORDER BY last_heard, writer_id

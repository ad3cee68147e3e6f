-- The writers of whom something is to be said, and those that are named; `all` asks for every one.
SELECT * EXCEPT (closing, plain, fence)
FROM ({{queries.writers_heard}})
WHERE {all:UInt8} = 1 OR NOT plain OR has({named:Array(String)}, writer_id)
ORDER BY last_heard, writer_id

-- title: Deletes what former runs of retention have stored
-- asked by: tokentrail retention
-- parameter: version UInt64 | The number of the present run
-- unit: no answer
-- columns: none
ALTER TABLE removals DELETE
WHERE cause = 'retention' AND version < {version:UInt64}

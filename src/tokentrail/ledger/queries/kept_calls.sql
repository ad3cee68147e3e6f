-- title: The calls whose usages retention has removed, and whose sums by day are kept
-- asked by: tokentrail report
-- unit: calls, in one row
-- column: calls | Calls
-- column: first | The first day that has any
-- column: last | The last one
SELECT sum(calls) AS calls, min(day) AS first, max(day) AS last
FROM (SELECT *, toDateTime64(day, 9, 'UTC') AS ts, '' AS operation_id, '' AS writer_id, '' AS metadata FROM usage_kept)
{{queries.filters}}
    AND day < toDate32({to:DateTime64(9, 'UTC')})

-- title: The latest run of retention
-- asked by: tokentrail retention
-- unit: one row, or none
-- column: version | The number of the run
SELECT version
FROM removals
WHERE cause = 'retention'
ORDER BY version DESC
LIMIT 1

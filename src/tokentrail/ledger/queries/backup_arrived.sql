-- title: How many records have arrived since a moment
-- asked by: tokentrail restore
-- parameter: since DateTime64(3, 'UTC') | The moment
-- unit: records
-- column: records | Records
SELECT count() AS records
FROM usage_landing
WHERE arrived_at >= {since:DateTime64(3, 'UTC')}

-- title: Records that arrived after their usage was erased or had expired
-- asked by: tokentrail verify
-- unit: records
-- column: service_name | The service
-- column: records | How many of its records were heard and not taken
-- column: writers | Of how many processes
-- column: last_heard | When the latest record of these processes arrived, UTC
SELECT service_name, sum(numbers) AS records, count() AS writers, max(heard) AS last_heard
FROM
(
    SELECT
        writer_id,
        bitmapCardinality(groupBitmapMergeState(untaken)) AS numbers,
        max(last_heard) AS heard,
        max(service_name) AS service_name
    FROM deliveries
    GROUP BY writer_id
)
WHERE numbers > 0
GROUP BY service_name
ORDER BY service_name

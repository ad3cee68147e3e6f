-- title: For whom each job was created, by each name under which its results are read
-- asked by: the query removal_keys
-- unit: no answer of its own
-- columns: none
SELECT arrayJoin(arrayPushBack(names, own_name)) AS name, created
FROM
(
    SELECT job AS own_name, arraySort(groupUniqArrayArray(results)) AS names, tupleElement(argMinMerge(creation), 1) AS created
    FROM usage_jobs
    GROUP BY job
)

-- title: What became of the numbers of each writer
-- asked by: the questions conservation and condition_missing_events
-- unit: records
-- column: writer_id | The process that numbers its records
-- column: service_name | Its service
-- column: last_heard | When its latest record arrived, UTC
-- column: announced | How many numbers it has given, as far as any record states
-- column: arrived | How many of these arrived
-- column: damaged | How many are torn in its journal
-- column: refused | How many its journal could not take
-- column: absent | How many have not arrived, and nobody has told why: they wait on a disk, or are lost
--
-- The same numbers may be told twice: of each range the part counts that no earlier range has. A number that arrived nevertheless is neither refused
-- nor damaged.
WITH
    (told -> arrayFilter(range -> range != '', arrayFlatten(arrayMap(ranges -> splitByChar(',', ranges), told)))) AS apart_texts,
    (told -> arraySort(arrayMap(range -> (toInt64OrZero(splitByChar('-', range)[1]), toInt64OrZero(splitByChar('-', range)[-1])), apart_texts(told)))) AS sorted,
    (ranges -> arrayMap((range, place) -> (greatest(range.1, arrayMax(arrayMap(before -> before.2, arraySlice(ranges, 1, place - 1))) + 1), range.2),
        ranges, arrayEnumerate(ranges))) AS apart,
    arrayConcat(arrayMap((low, high) -> (toInt64(low) + 1, toInt64(high) - 1), gap_after, gap_before), [(toInt64(end) + 1, 9223372036854775806)]) AS gaps,
    (ranges -> arraySum(arrayMap(gap -> arraySum(arrayMap(range -> greatest(0, least(gap.2, range.2) - greatest(gap.1, range.1) + 1), ranges)), gaps))) AS within,
    apart(sorted(h.damaged)) AS torn,
    apart(sorted(arrayConcat(h.damaged, h.refused))) AS told,
    arraySum(arrayMap(range -> greatest(0, range.2 - greatest(range.1, toInt64(end) + 1) + 1), told)) AS beyond
SELECT
    h.writer_id AS writer_id,
    h.service_name AS service_name,
    h.last_heard AS last_heard,
    toInt64(h.end) + beyond AS announced,
    toInt64(h.events) AS arrived,
    within(torn) AS damaged,
    within(told) - damaged AS refused,
    announced - arrived - damaged - refused AS absent
FROM ({{queries.writers_heard}}) AS h
ORDER BY writer_id

-- title: Every writer of which records arrived, with the gaps in its numbers
-- asked by: the queries writers and writers_completed
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
-- column: closing | The highest number that a closing record states; 0 where none came
-- column: end | The highest number that any record states
-- column: plain | Whether there are no findings: closed, all numbers there, nothing refused or damaged
-- column: fence | The numbers between which gaps are searched
-- column: gap_after | Of each gap, the number before it
-- column: gap_before | Of each gap, the number after it
--
-- A gap is a pair of numbers that arrived (or 0, or the end) with no number between them. Only writers whose numbers do not simply run from 1 to the
-- end are expanded into arrays. A bitmap of few numbers returns them in the order in which its parts were merged, so they are sorted before
-- neighbours are compared.
-- A number that was refused, or is torn, was given like any other: so were those below it. A closing record itself states how many were given.
-- A shipper reports torn numbers in the journal of a live writer at once, by a refusal whose damaged numbers equal its refused numbers: these numbers
-- are damaged, and neither missing nor refused. What was heard before the column `statements` stands in four others.
WITH
    heard AS
    (
        WITH
            arrayFilter(one -> one.event = 'closing', statements) AS closings,
            arrayFilter(one -> one.event = 'refused' AND one.refused != one.damaged, statements) AS refusals,
            arrayFilter(one -> one.damaged != '' AND (one.event = 'closing' OR one.refused = one.damaged), statements) AS torn,
            arrayFilter(by -> by != '', arrayMap(one -> one.closed_by, closings)) AS closers
        SELECT
            writer_id,
            groupBitmapMergeState(seqs) AS numbers,
            arraySort(groupUniqArrayArray(arrayConcat(deliveries.refused, arrayMap(one -> one.refused, refusals)))) AS refused,
            arraySort(groupUniqArrayArray(arrayConcat(deliveries.damaged, arrayMap(one -> one.damaged, torn)))) AS damaged,
            arraySort(groupUniqArrayArray(arrayConcat(deliveries.last_seqs, arrayMap(one -> one.last_seq, closings)))) AS last_seqs,
            arraySort(groupUniqArrayArray(arrayConcat(deliveries.closed_by, closers))) AS closed_by,
            arrayMap(range -> toUInt64OrZero(splitByChar('-', range)[-1]), splitByChar(',', arrayStringConcat(arrayConcat(refused, damaged), ','))) AS told,
            min(first_heard) AS first_heard,
            max(last_heard) AS last_heard,
            max(service_name) AS service_name,
            max(environment) AS environment,
            max(host_name) AS host_name
        FROM deliveries
        GROUP BY writer_id
    )
SELECT
    writer_id,
    service_name,
    environment,
    host_name,
    first_heard,
    last_heard,
    bitmapCardinality(numbers) AS events,
    if(events = 0, 0, bitmapMax(numbers)) AS highest,
    last_seqs,
    closed_by,
    refused,
    damaged,
    if(empty(last_seqs), 0, arrayMax(last_seqs)) AS closing,
    greatest(highest, closing, if(empty(last_seqs), arrayMax(told), 0)) AS end,
    notEmpty(last_seqs) AND events = end AND highest = closing AND empty(refused) AND empty(damaged) AS plain,
    if(events = end, [], arrayConcat([toUInt64(0)], arraySort(bitmapToArray(numbers)), [end + 1])) AS fence,
    arrayFilter((low, high) -> high > low + 1, arrayPopBack(fence), arrayPopFront(fence)) AS gap_after,
    arrayFilter((high, low) -> high > low + 1, arrayPopFront(fence), arrayPopBack(fence)) AS gap_before
FROM heard

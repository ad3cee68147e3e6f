-- title: What differs between the ledger and bills, journals and metrics, and what was decided of it
-- asked by: analysts, SREs and whoever checks the bill
-- parameter: states Array(String) = open,explained,corrected | Only findings of these states; empty for all, also those that are gone
-- unit: findings; the differences in tokens, requests and money
-- column: state | open, explained, corrected, or gone
-- column: source | The other witness: a provider's report, or journal, landing, verify, rollup, metrics
-- column: interval | The day, or the first moment and the end, UTC; empty inside
-- column: place | Provider, model, project and key; inside the writer, the key, the service
-- column: differences | By how much the other witness states more than the ledger has, or less
-- column: explanation | What could explain it, the most certain
-- column: who | Who has decided so: a person, or tokentrail reconcile
-- column: why | Why
-- column: first_ts | When the difference was first found, UTC
-- column: last_ts | When the state was written, UTC
-- column: id | The finding, for tokentrail reconcile explain and correct
--
-- At any time: a finding is of an interval that may lie long before the day on which somebody has compared.
SELECT
    f.state AS state,
    f.source AS source,
    multiIf(
        f.ends = toDateTime64(0, 0, 'UTC'), '',
        f.ends - f.starts = 86400 AND f.starts = toStartOfDay(f.starts), toString(toDate(f.starts)),
        concat(toString(f.starts), ' to ', toString(f.ends))) AS interval,
    arrayStringConcat(
        arrayFilter(
            each -> each != '',
            [
                toString(f.provider),
                if(f.model = '' AND f.provider != '', '(no model)', toString(f.model)),
                if(f.project = '', '', concat('project ', f.project)),
                if(f.api_key = '', '', concat('key ', f.api_key)),
                f.subject
            ]),
        ' ') AS place,
    arrayStringConcat(
        arrayMap(
            (measure, stated, counted) -> concat(
                replaceAll(replaceOne(toString(measure), 'cost ', ''), '_', ' '),
                if(ifNull(stated, 0) > ifNull(counted, 0), ' +', ' '),
                toString(ifNull(stated, 0) - ifNull(counted, 0))),
            f.measures, f.stated, f.counted),
        ', ') AS differences,
    if(empty(f.explanations), '', f.explanations[1]) AS explanation,
    f.who AS who,
    f.why AS why,
    f.found_at AS first_ts,
    f.at AS last_ts,
    f.id AS id
FROM
(
    SELECT *, min(at) OVER (PARTITION BY id) AS found_at
    FROM ({{queries.finding_rows}})
    ORDER BY id, version DESC
    LIMIT 1 BY id
) AS f
WHERE empty({states:Array(String)}) OR has({states:Array(String)}, f.state)
ORDER BY indexOf(['open', 'explained', 'corrected', 'gone'], state), interval DESC, source, place, id

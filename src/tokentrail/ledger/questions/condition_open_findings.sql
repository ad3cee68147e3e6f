-- title: Which witnesses differ from the ledger, and nobody has said why
-- asked by: tokentrail check and Grafana's alerts
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The moment of the question, if it is past
-- parameter: hours UInt16 = 24 | Findings that have been open for so long
-- parameter: tokens UInt64 = 0 | Only differences of more tokens or requests than this
-- parameter: money UInt64 = 0 | Only differences of more money than this, in the currency of the bill
-- parameter: findings UInt32 = 0 | The threshold
-- unit: findings
-- column: subject | The other witness: a provider's report, or journal, landing, verify, rollup, metrics
-- column: value | How many findings are open
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- A finding of one measure above its bound counts, and so does one without figures, which is about records. What is late is gone by itself within hours.
WITH least({to:DateTime64(9, 'UTC')}, now64(9, 'UTC')) AS end
SELECT
    source AS subject,
    toFloat64(count()) AS value,
    toFloat64({findings:UInt32}) AS threshold,
    threshold AS clear,
    toBool(value > threshold) AS firing,
    concat(
        toString(count()), if(count() = 1, ' finding is', ' findings are'), ' open, the first one, ', argMin(id, (open_at, id)), ', since ',
        formatDateTime(min(open_at), '%F %R', 'UTC'), ' UTC: tokentrail reconcile findings') AS detail
FROM
(
    SELECT
        r.id AS id,
        argMax(r.source, r.version) AS source,
        argMax(r.state, r.version) AS state,
        maxIf(r.version, r.state != 'open') AS decided,
        arrayMin(arrayMap(each -> each.2, arrayFilter(each -> each.1 > decided, arraySort(groupArray((r.version, r.at)))))) AS open_at,
        argMax((r.measures, r.stated, r.counted), r.version) AS figures
    FROM ({{queries.finding_rows}}) AS r
    WHERE r.at <= end
    GROUP BY id
)
WHERE state = 'open'
    AND open_at <= end - toIntervalHour({hours:UInt16})
    AND (empty(figures.1) OR arrayExists(
        (measure, stated, counted) -> abs(ifNull(stated, 0) - ifNull(counted, 0)) > if(startsWith(measure, 'cost '), {money:UInt64}, {tokens:UInt64}),
        figures.1, figures.2, figures.3))
GROUP BY source
ORDER BY value DESC, subject

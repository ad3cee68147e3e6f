-- title: Tokens by the counters of OpenTelemetry beside those of the ledger, over the time for which both are there
-- asked by: tokentrail reconcile
-- parameter: since DateTime64(9, 'UTC') | The first moment
-- parameter: until DateTime64(9, 'UTC') | The end, itself excluded
-- parameter: input_names Array(String) | The names of the counters of input tokens
-- parameter: output_names Array(String) | The names of the counters of output tokens
-- unit: tokens
-- column: service_name | The service
-- column: series | How many series its counters have
-- column: first | The first moment that the counters cover, UTC
-- column: last | The last one
-- column: input_tokens | Input tokens by the counters
-- column: output_tokens | Output tokens by the counters
-- column: ledger_input_tokens | Input tokens by the ledger
-- column: ledger_output_tokens | Output tokens by the ledger
--
-- A counter grows from its start: what it had before `since` is taken off. A usage is at its call's start, and the counter grows at the call's end: so
-- the ledger is read from a quarter of an hour earlier on. The ledger may have more (the last minute of a process that was killed, calls of processes
-- without an OpenTelemetry SDK, imports), never less. Bridged usages and corrections are in no counter.
WITH
    series AS
    (
        SELECT
            ServiceName AS service_name,
            MetricName,
            StartTimeUnix,
            countIf(TimeUnix < {since:DateTime64(9, 'UTC')}) AS earlier,
            if(earlier > 0, maxIf((TimeUnix, Value), TimeUnix < {since:DateTime64(9, 'UTC')}), min((TimeUnix, Value))) AS base,
            base.2 AS before,
            base.1 AS before_at,
            max((TimeUnix, Value)) AS latest,
            latest.1 AS last,
            latest.2 AS value
        FROM otel_metrics_sum
        WHERE ScopeName = 'tokentrail' AND AggregationTemporality = 2 AND TimeUnix < {until:DateTime64(9, 'UTC')}
            AND TimeUnix >= {since:DateTime64(9, 'UTC')} - toIntervalDay(1)
            AND (has({input_names:Array(String)}, MetricName) OR has({output_names:Array(String)}, MetricName))
        GROUP BY ServiceName, MetricName, StartTimeUnix, cityHash64(ResourceAttributes), cityHash64(Attributes)
    ),
    metrics AS
    (
        SELECT
            service_name,
            count() AS series,
            min(if(StartTimeUnix >= {since:DateTime64(9, 'UTC')}, StartTimeUnix, before_at)) AS first,
            max(s.last) AS last,
            toInt64(round(sumIf(value - if(StartTimeUnix >= {since:DateTime64(9, 'UTC')}, 0, before), has({input_names:Array(String)}, MetricName)))) AS input_tokens,
            toInt64(round(sumIf(value - if(StartTimeUnix >= {since:DateTime64(9, 'UTC')}, 0, before), has({output_names:Array(String)}, MetricName)))) AS output_tokens
        FROM series AS s
        WHERE s.last >= {since:DateTime64(9, 'UTC')}
        GROUP BY service_name
    )
SELECT
    m.service_name AS service_name,
    max(m.series) AS series,
    min(m.first) AS first,
    max(m.last) AS last,
    max(m.input_tokens) AS input_tokens,
    max(m.output_tokens) AS output_tokens,
    sum(ifNull(l.given, 0)) AS ledger_input_tokens,
    sum(ifNull(l.answered, 0)) AS ledger_output_tokens
FROM metrics AS m
LEFT JOIN
(
    SELECT u.service_name AS service_name, sum(u.input_tokens) AS given, sum(u.output_tokens) AS answered
    FROM usage AS u
    INNER JOIN metrics AS w ON u.service_name = w.service_name
    WHERE u.ts >= {since:DateTime64(9, 'UTC')} - toIntervalDay(2) AND u.ts < {until:DateTime64(9, 'UTC')}
        AND u.ts >= w.first - toIntervalMinute(15) AND u.ts <= w.last AND u.origin != 'bridged' AND u.corrects_key = ''
    GROUP BY service_name
) AS l ON l.service_name = m.service_name
GROUP BY service_name
ORDER BY service_name

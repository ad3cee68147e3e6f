-- title: What the journals of each service hold on their disks
-- asked by: SREs
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- parameter: services Array(String) = | Only these services; empty for all
-- unit: bytes
-- column: time | The minute
-- column: name | The service
-- column: size_bytes | The largest size of a journal's folder that a process has measured
--
-- Processes state the size as the metric tokentrail.journal.size; it is here where the Collector writes metrics to ClickHouse.
SELECT
    toStartOfMinute(m.TimeUnix, 'UTC') AS time,
    m.ServiceName AS name,
    max(m.Value) AS size_bytes
FROM otel_metrics_gauge AS m
WHERE m.MetricName = 'tokentrail.journal.size'
    AND m.TimeUnix >= {from:DateTime64(9, 'UTC')} AND m.TimeUnix < {to:DateTime64(9, 'UTC')}
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, m.ServiceName))
GROUP BY time, name
ORDER BY time, name

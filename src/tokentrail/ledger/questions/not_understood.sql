-- title: Records that are not understood, and wait in quarantine
-- asked by: SREs
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- parameter: services Array(String) = | Only these services; empty for all
-- unit: records
-- column: service_name | The service that sent them
-- column: reason | Why they are not understood
-- column: records | How many
-- column: first | When the first one arrived, UTC
-- column: latest | When the latest one arrived, UTC
--
-- tokentrail quarantine list shows them, tokentrail quarantine replay tries them again.
SELECT
    q.ServiceName AS service_name,
    q.reason AS reason,
    count() AS records,
    min(q.arrived_at) AS first,
    max(q.arrived_at) AS latest
FROM (SELECT ServiceName, reason, arrived_at, replayed_at FROM quarantine FINAL) AS q
WHERE q.replayed_at IS NULL
    AND q.arrived_at >= {from:DateTime64(9, 'UTC')} AND q.arrived_at < {to:DateTime64(9, 'UTC')}
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, q.ServiceName))
GROUP BY service_name, reason
ORDER BY records DESC, service_name, reason

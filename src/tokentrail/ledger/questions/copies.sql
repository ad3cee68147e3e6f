-- title: How many records came more than once, and count once
-- asked by: SREs
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded
-- parameter: services Array(String) = | Only these services; empty for all
-- unit: records
-- column: service_name | The service that sent them
-- column: records | Usage records that arrived within the time, as far as the landing table still has them
-- column: copies | Of these, copies of a record that was there already
-- column: copied_share | The same as a share, from 0 to 1
--
-- A record is known by its writer and its number. Copies are no fault: what is not acknowledged is sent again.
SELECT
    l.ServiceName AS service_name,
    count() AS records,
    records - uniqExact(l.LogAttributes['tokentrail.writer.id'], l.LogAttributes['tokentrail.seq']) AS copies,
    round(copies / records, 4) AS copied_share
FROM usage_landing AS l
WHERE l.LogAttributes['tokentrail.event'] = 'usage' AND l.LogAttributes['tokentrail.writer.id'] != ''
    AND l.arrived_at >= {from:DateTime64(9, 'UTC')} AND l.arrived_at < {to:DateTime64(9, 'UTC')}
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, l.ServiceName))
GROUP BY service_name
ORDER BY copies DESC, service_name

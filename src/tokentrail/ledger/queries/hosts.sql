-- title: Servers that were called, and the provider that their calls were recorded as
-- asked by: tokentrail doctor
-- parameter: days UInt16 = 7 | How many days back
-- parameter: most UInt32 = 1000 | How many servers at most
-- unit: calls
-- column: provider | The provider, as recorded
-- column: server_address | The host that was called
-- column: server_port | The port; 0 where it is not known
-- column: made | Calls
SELECT u.provider, u.server_address, u.server_port, sum(u.calls) AS made
FROM usage AS u
WHERE u.ts >= now() - toIntervalDay({days:UInt16}) AND u.server_address != ''
GROUP BY u.provider, u.server_address, u.server_port
ORDER BY made DESC, u.server_address, u.server_port, u.provider
LIMIT {most:UInt32}

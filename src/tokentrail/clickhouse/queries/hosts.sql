-- Servers that were called in the last days, and the provider that their calls were recorded as.
SELECT u.provider, u.server_address, u.server_port, sum(u.calls) AS made
FROM usage AS u
WHERE u.ts >= now() - toIntervalDay({days:UInt16}) AND u.server_address != ''
GROUP BY u.provider, u.server_address, u.server_port
ORDER BY made DESC, u.server_address, u.server_port, u.provider
LIMIT {most:UInt32}

-- title: The present moment of the server, and the digest of the price lists
-- asked by: tokentrail rollup
-- unit: one row
-- column: moment | The moment, UTC
-- column: prices | The digest of the lists of which each is the latest of its source
SELECT now64(3, 'UTC') AS moment, prices FROM price_digest

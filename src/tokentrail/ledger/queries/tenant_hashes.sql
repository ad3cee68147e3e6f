-- title: The hashes by which removed tenants are known
-- asked by: tokentrail erase, tokentrail retention
-- parameter: names Array(String) | The tenants
-- unit: one row
-- column: hashes | The hash of each tenant, in the same order
-- column: now | The server's time
SELECT arrayMap(one -> toString(reinterpretAsUInt128(sipHash128(concat('tenant ', one)))), {names:Array(String)}) AS hashes, now64(9, 'UTC') AS now

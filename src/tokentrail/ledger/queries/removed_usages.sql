-- title: The usages that are removed with tenants
-- asked by: the queries removal_usages, removal_calls, removal_keys, removal_ledger and removal_sums
-- parameter: tenants Array(String) | Hashes of tenants, as tenant_hashes answers them
-- parameter: others Bool = 0 | In place of these tenants all others
-- parameter: until DateTime64(9, 'UTC') | Only usages from before this moment
-- unit: no answer of its own
-- columns: none
has({tenants:Array(String)}, toString(reinterpretAsUInt128(sipHash128(concat('tenant ', toString(tenant_id)))))) != {others:Bool}
    AND if(key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC'), key_ts, event_ts) < {until:DateTime64(9, 'UTC')}

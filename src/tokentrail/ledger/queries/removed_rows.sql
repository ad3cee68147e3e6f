-- title: The rows of a table that are removed with tenants
-- asked by: the queries removal_rows and removal_delete
-- parameter: tenants Array(String) | Hashes of tenants, as tenant_hashes answers them
-- parameter: others Bool = 0 | In place of these tenants all others
-- parameter: until DateTime64(9, 'UTC') | Only rows from before this moment
-- slot: stated | An array of the tenants that a row states
-- slot: moment | The time of a row
-- unit: no answer of its own
-- columns: none
--
-- Tenants are compared by their hashes: the statement of a deletion is kept by the server, and must not keep the name.
hasAny({tenants:Array(String)}, arrayMap(one -> toString(reinterpretAsUInt128(sipHash128(concat('tenant ', one)))), {{stated}})) != {others:Bool}
    AND {{moment}} < {until:DateTime64(9, 'UTC')}

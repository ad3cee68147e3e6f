-- title: Which models are called, since when, and by whom
-- asked by: analysts and SREs
-- unit: calls
-- column: provider | Who answered
-- column: model | The model
-- column: first | The first call, UTC
-- column: latest | The latest call, UTC
-- column: calls | Calls
-- column: services | The services that call it
-- column: tenants | How many tenants
SELECT
    u.provider,
    u.model,
    min(u.ts) AS first,
    max(u.ts) AS latest,
    sum(u.calls) AS calls,
    arraySort(groupUniqArray(100)(u.service_name)) AS services,
    uniqExact(u.tenant_id) AS tenants
FROM ({{queries.selected}}) AS u
GROUP BY u.provider, u.model
ORDER BY first DESC, u.provider, u.model

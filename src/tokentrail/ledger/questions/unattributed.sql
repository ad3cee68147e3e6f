-- title: What is spent without saying for whom or what
-- asked by: analysts and SREs
-- unit: calls and tokens
-- column: service_name | The service
-- column: endpoint | The kind of call
-- column: calls | Calls
-- column: without_tenant | Calls without a tenant
-- column: without_operation | Calls whose operation is not of the vocabulary
-- column: tokens_without_tenant | Input and output tokens without a tenant
SELECT
    u.service_name,
    u.endpoint,
    sum(u.calls) AS calls,
    sumIf(u.calls, u.tenant_id = '') AS without_tenant,
    sumIf(u.calls, u.operation = 'unknown') AS without_operation,
    sumIf(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0), u.tenant_id = '') AS tokens_without_tenant
FROM ({{queries.selected}}) AS u
GROUP BY u.service_name, u.endpoint
HAVING without_tenant != 0 OR without_operation != 0
ORDER BY tokens_without_tenant DESC, without_operation DESC, u.service_name, u.endpoint

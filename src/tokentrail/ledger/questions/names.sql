-- title: Which values a dimension has
-- asked by: dashboards, for their lists
-- parameter: by String = model | The dimension; operation_name is the operation as the service has written it
-- choices: by | environment, service_name, provider, model, tenant_id, operation_name
-- unit: calls
-- column: name | The dimension's value; empty where nobody stated one
-- column: calls | Calls
SELECT
    multiIf(
        {by:String} = 'environment', toString(u.environment),
        {by:String} = 'service_name', toString(u.service_name),
        {by:String} = 'provider', toString(u.provider),
        {by:String} = 'model', toString(u.model),
        {by:String} = 'tenant_id', toString(u.tenant_id),
        toString(u.operation_name)) AS name,
    sum(u.calls) AS calls
FROM ({{queries.selected}}) AS u
GROUP BY name
ORDER BY name

-- title: Which usages a question is about
-- asked by: the queries selected and selected_costs
-- parameter: from DateTime64(9, 'UTC') = 1900-01-01 00:00:00 | The first moment, included
-- parameter: to DateTime64(9, 'UTC') = 2262-01-01 00:00:00 | The last moment, excluded: neighbouring ranges never count a usage twice
-- parameter: tenants Array(String) = | Only these tenants; empty for all
-- parameter: operations Array(String) = | Only these operations, such as chat or OPERATION_CHAT; empty for all
-- parameter: providers Array(String) = | Only these providers; empty for all
-- parameter: models Array(String) = | Only these models; empty for all
-- parameter: services Array(String) = | Only these services; empty for all
-- parameter: environments Array(String) = | Only these environments; empty for all
-- parameter: where Array(String) = | Only usages with these values, each as NAME=VALUE, such as endpoint=chat or metadata.team=search
-- unit: no answer of its own
-- columns: none
--
-- Of several values of one name in `where` a usage has any, and one of each name. A name that is no column matches nothing.
-- The whole of it is one condition, which ClickHouse drops where `where` is empty: 26 conditions cost a question 45 ms of planning, and now 10.
WHERE ts >= {from:DateTime64(9, 'UTC')} AND ts < {to:DateTime64(9, 'UTC')}
    AND (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant_id))
    AND (empty({operations:Array(String)}) OR has({operations:Array(String)}, operation_name) OR has(
        arrayMap(each -> lower(substring(each, 11)), arrayFilter(each -> startsWith(each, 'OPERATION_'), {operations:Array(String)})), operation_name))
    AND (empty({providers:Array(String)}) OR has({providers:Array(String)}, provider))
    AND (empty({models:Array(String)}) OR has({models:Array(String)}, model))
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, service_name))
    AND (empty({environments:Array(String)}) OR has({environments:Array(String)}, environment))
    AND (empty({where:Array(String)}) OR (
        hasAll(
            [{{each filters: '$name', }}''],
            arrayFilter(name -> NOT startsWith(name, 'metadata.'), arrayMap(each -> substringIndex(each, '=', 1), {where:Array(String)}) AS chosen))
        {{each filters: AND (NOT has(chosen, '$name') OR has({where:Array(String)}, concat('$name=', toString($name))))}}
        {{each metadata: AND (NOT arrayExists(each -> startsWith(each, 'metadata.'), chosen) OR arrayAll(each -> NOT startsWith(each, 'metadata.') OR has({where:Array(String)}, concat(each, '=', $value)), chosen))}}
    ))

-- title: The latest version of each budget
-- asked by: tokentrail budgets, the question budgets
-- parameter: names Array(String) = | Only these budgets; empty for all
-- unit: money in the currency, or tokens
-- column: name | The name of the budget
-- column: tenants | Only usages of these tenants; empty: of all
-- column: operations | Only usages of these operations; empty: of all
-- column: providers | Only usages of these providers; empty: of all
-- column: models | Only usages of these models; empty: of all
-- column: services | Only usages of these services; empty: of all
-- column: environments | Only usages of these environments; empty: of all
-- column: currency | ISO 4217; empty: a budget in tokens
-- column: amount | What may be spent in a period
-- column: period | day, week, month, quarter or year
-- column: timezone | The time zone in which a period begins
SELECT
    b.name AS name,
    argMax(b.tenants, b.version) AS tenants,
    argMax(b.operations, b.version) AS operations,
    argMax(b.providers, b.version) AS providers,
    argMax(b.models, b.version) AS models,
    argMax(b.services, b.version) AS services,
    argMax(b.environments, b.version) AS environments,
    toString(argMax(b.currency, b.version)) AS currency,
    argMax(b.amount, b.version) AS amount,
    toString(argMax(b.period, b.version)) AS period,
    toString(argMax(b.timezone, b.version)) AS timezone
FROM budgets AS b
WHERE empty({names:Array(String)}) OR has({names:Array(String)}, b.name)
GROUP BY b.name
HAVING NOT argMax(b.removed, b.version)
ORDER BY name

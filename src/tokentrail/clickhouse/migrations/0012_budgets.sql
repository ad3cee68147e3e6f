-- Budgets: every version of each, of which the latest counts. On a cluster every node has all of them.
CREATE TABLE IF NOT EXISTS budgets{{on_cluster}}
(
    name         String COMMENT 'The name of the budget',
    version      UInt64 COMMENT 'The number of the version among those of the budget: the latest counts',
    loaded_at    DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the version was stored',
    removed      Bool DEFAULT false COMMENT 'Whether the budget was removed by this version',
    tenants      Array(String) COMMENT 'Only usages of these tenants; empty: of all',
    operations   Array(String) COMMENT 'Only usages of these operations (operation_name); empty: of all',
    providers    Array(String) COMMENT 'Only usages of these providers; empty: of all',
    models       Array(String) COMMENT 'Only usages of these models; empty: of all',
    services     Array(String) COMMENT 'Only usages of these services; empty: of all',
    environments Array(String) COMMENT 'Only usages of these environments; empty: of all',
    currency     LowCardinality(String) COMMENT 'ISO 4217; empty: a budget in tokens',
    amount       Decimal(38, 18) COMMENT 'What may be spent in a period: money in the currency, or input and output tokens',
    period       LowCardinality(String) COMMENT 'day, week (from Monday), month, quarter or year',
    timezone     LowCardinality(String) COMMENT 'The time zone in which a period begins'
)
ENGINE = {{everywhere.budgets}}
ORDER BY (name, version)
COMMENT 'What may be spent on which usages in a period';

-- What one tenant may see of a ledger: a database of views with the names that the questions read, each with this tenant's rows alone. Run by an
-- administrator, as often as you like; then give the tenant's users the role, and {{tenant_database}} as the database of their address.
--
-- Views and no row policies on the tables: ClickHouse applies a policy before it removes replaced records (FINAL), so a tenant would be shown, and sum,
-- records that another one's have replaced; the usage of a provider's job counts for the tenant who created the job, which no row of the ledger states;
-- and a policy leaves everybody without rows whom it does not name. The views run with the rights of their own user, who cannot log in.
CREATE USER IF NOT EXISTS tokentrail_tenants{{on_cluster}} HOST NONE;
GRANT{{on_cluster}} SELECT ON {{database}}.* TO tokentrail_tenants;

CREATE DATABASE IF NOT EXISTS {{tenant_database}}{{on_cluster}};

CREATE OR REPLACE VIEW {{tenant_database}}.usage{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.usage WHERE tenant_id = {{tenant}};

CREATE OR REPLACE VIEW {{tenant_database}}.usage_cost{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.usage_cost WHERE tenant_id = {{tenant}};

CREATE OR REPLACE VIEW {{tenant_database}}.usage_daily{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.usage_daily WHERE tenant_id = {{tenant}};

CREATE OR REPLACE VIEW {{tenant_database}}.usage_days{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.usage_days WHERE tenant_id = {{tenant}};

CREATE OR REPLACE VIEW {{tenant_database}}.usage_kept{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.usage_kept WHERE tenant_id = {{tenant}};

-- Days of which the tenant has sums: other days would tell when others were there, and are read call by call with the same result.
CREATE OR REPLACE VIEW {{tenant_database}}.usage_fresh_days{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.usage_fresh_days WHERE (day, build) IN (SELECT day, build FROM {{database}}.usage_days WHERE tenant_id = {{tenant}});

-- Budgets of this tenant alone; one that several share would tell what the others spend.
CREATE OR REPLACE VIEW {{tenant_database}}.budgets{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.budgets WHERE name IN
    (SELECT name FROM {{database}}.budgets GROUP BY name HAVING min(tenants = [{{tenant}}]) = 1);

CREATE OR REPLACE VIEW {{tenant_database}}.currency_rates{{on_cluster}} DEFINER = tokentrail_tenants SQL SECURITY DEFINER
AS SELECT * FROM {{database}}.currency_rates;

CREATE ROLE IF NOT EXISTS {{tenant_role}}{{on_cluster}}
    SETTINGS readonly = 1, max_execution_time = 60 MIN 1 MAX 300 CHANGEABLE_IN_READONLY, max_memory_usage = 4000000000, max_result_rows = 1000000;
GRANT{{on_cluster}} SELECT ON {{tenant_database}}.* TO {{tenant_role}};

-- What each program of a ledger may do in ClickHouse, and nothing beyond. Run by an administrator, as often as you like; then give each user one role:
--
--     CREATE USER collector IDENTIFIED BY '…';  GRANT tokentrail_writer TO collector;
--
-- Views that are fed by inserts run with the rights of the user who ran `tokentrail migrate`: keep that user, with the role tokentrail_migrator.

-- The Collector: adds rows to the tables of arrivals. Reads nothing, so that a stolen password tells of no usage.
CREATE ROLE IF NOT EXISTS tokentrail_writer{{on_cluster}};
GRANT{{on_cluster}} INSERT ON {{database}}.usage_landing TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_logs TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_traces TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_gauge TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_sum TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_summary TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_histogram TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_exponential_histogram TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.usage_landing_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_logs_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_traces_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_gauge_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_sum_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_summary_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_histogram_local TO tokentrail_writer;
GRANT{{on_cluster}} INSERT ON {{database}}.otel_metrics_exponential_histogram_local TO tokentrail_writer;

-- Analysts, `report`, `query`, `verify`, `mcp`, guards of budgets: read all tenants, write nothing.
CREATE ROLE IF NOT EXISTS tokentrail_reader{{on_cluster}} SETTINGS readonly = 2;
GRANT{{on_cluster}} SELECT ON {{database}}.* TO tokentrail_reader;

-- Grafana, which restricts no SQL of its users: reads, sets nothing but the time of a query (its plugin does), and takes no whole server.
CREATE ROLE IF NOT EXISTS tokentrail_grafana{{on_cluster}}
    SETTINGS readonly = 1, max_execution_time = 60 MIN 1 MAX 300 CHANGEABLE_IN_READONLY, max_memory_usage = 4000000000, max_result_rows = 1000000;
GRANT{{on_cluster}} SELECT ON {{database}}.* TO tokentrail_grafana;

-- `tokentrail rollup`: reads, and stores sums by day.
CREATE ROLE IF NOT EXISTS tokentrail_rollup{{on_cluster}};
GRANT{{on_cluster}} SELECT ON {{database}}.* TO tokentrail_rollup;
GRANT{{on_cluster}} INSERT, ALTER DELETE ON {{database}}.usage_days TO tokentrail_rollup;
GRANT{{on_cluster}} INSERT ON {{database}}.usage_day_builds TO tokentrail_rollup;

-- `tokentrail check --notify` and `reconcile`: read, and remember who was told and what differs.
CREATE ROLE IF NOT EXISTS tokentrail_check{{on_cluster}};
GRANT{{on_cluster}} SELECT ON {{database}}.* TO tokentrail_check;
GRANT{{on_cluster}} INSERT ON {{database}}.alerts TO tokentrail_check;
GRANT{{on_cluster}} INSERT ON {{database}}.alert_checks TO tokentrail_check;
GRANT{{on_cluster}} INSERT ON {{database}}.findings TO tokentrail_check;

-- People who look after the ledger: `prices`, `budgets`, `reconcile`, `quarantine replay` and `fix`. Adds rows; changes and deletes none.
CREATE ROLE IF NOT EXISTS tokentrail_operator{{on_cluster}};
GRANT{{on_cluster}} SELECT ON {{database}}.* TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.prices TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.exchange_rates TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.budgets TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.usage_landing TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.quarantine TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.quarantine_times TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.findings TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.usage_landing_local TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.quarantine_local TO tokentrail_operator;
GRANT{{on_cluster}} INSERT ON {{database}}.quarantine_times_local TO tokentrail_operator;

-- `tokentrail migrate`, once for each version: tables and views of this database, and no other.
CREATE ROLE IF NOT EXISTS tokentrail_migrator{{on_cluster}};
GRANT{{on_cluster}} SHOW, SELECT, INSERT, CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER TABLE, ALTER VIEW ON {{database}}.* TO tokentrail_migrator;
GRANT ON CLUSTER {{cluster}} CLUSTER ON *.* TO tokentrail_migrator;
GRANT ON CLUSTER {{cluster}} REMOTE ON *.* TO tokentrail_migrator;

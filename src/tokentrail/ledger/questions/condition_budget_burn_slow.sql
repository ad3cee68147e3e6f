-- title: Which budgets are being spent so fast that they will not last
-- asked by: tokentrail check and Grafana's alerts
-- parameter: times UInt16 = 2 | The threshold
-- unit: times the pace of the budget
-- column: subject | The budget
-- column: value | The smaller of the paces of the last six hours and of the last 24: at 1 the budget lasts to the end of its period
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- Budgets of a day are the condition budget_spent.
WITH
    ('six hours', '24 hours') AS windows,
    paces AS (SELECT *, burn_6h AS pace_of_shorter, burn_24h AS pace_of_longer FROM ({{queries.budgets}}))
{{queries.budget_burn}}

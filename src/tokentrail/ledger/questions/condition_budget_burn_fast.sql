-- title: Which budgets are being spent so fast that they are gone in days
-- asked by: tokentrail check and Grafana's alerts
-- parameter: times UInt16 = 6 | The threshold
-- unit: times the pace of the budget
-- column: subject | The budget
-- column: value | The smaller of the paces of the last hour and of the last six: at 1 the budget lasts to the end of its period
-- column: threshold | The value above which the condition fires
-- column: clear | The value down to which it goes on, once it has fired
-- column: firing | Whether the value is above the threshold
-- column: detail | The numbers behind the value
--
-- Six hours at the threshold are a twentieth of a month's budget. Two windows: one large call alone does not fire, and the alert ends with the spending.
-- Budgets of a day are the condition budget_spent.
WITH
    ('hour', 'six hours') AS windows,
    paces AS (SELECT *, burn_1h AS pace_of_shorter, burn_6h AS pace_of_longer FROM ({{queries.budgets}}))
{{queries.budget_burn}}

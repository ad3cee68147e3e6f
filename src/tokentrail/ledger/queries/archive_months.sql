-- title: The months of which a table has rows
-- asked by: tokentrail export ledger
-- slot: table | The table
-- slot: month | The month of a row
-- unit: months
-- column: month | The month, as year and month in one number
SELECT toUInt32({{month}}) AS month
FROM {{table}}
GROUP BY month
ORDER BY month

-- title: What the rows of a table and month are
-- asked by: tokentrail export ledger
-- parameter: wanted UInt32 = 0 | The month; 0 with 0 as the month of a row: all rows
-- slot: table | The table
-- slot: final | FINAL where copies of a row count once
-- slot: month | The month of a row
-- unit: rows
-- column: rows | How many
-- column: digest | A number that changes with them
SELECT count() AS rows, toString(groupBitXor(cityHash64(formatRow('RowBinary', *)))) AS digest
FROM {{table}} {{final}}
WHERE {{month}} = {wanted:UInt32}

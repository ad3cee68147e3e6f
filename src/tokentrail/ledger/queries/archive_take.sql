-- title: Takes over rows that lie in a table beside
-- asked by: tokentrail import ledger
-- slot: table | The table
-- slot: beside | The table beside, with plain columns
-- slot: columns | The columns
-- slot: read | The same, as the table has them
-- slot: known | A condition that leaves out rows that are there already; empty where copies count once
-- unit: no answer
-- columns: none
INSERT INTO {{table}} ({{columns}})
SELECT {{read}}
FROM {{beside}}
{{known}}

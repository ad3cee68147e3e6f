-- title: What a table holds, to be compared with its copy
-- asked by: tokentrail backup, tokentrail restore
-- slot: table | The table
-- slot: final | FINAL where copies of a row count once
-- slot: tokens | The sum of its tokens; NULL for a table without tokens, or whose rows come and go
-- slot: keys | How many keys there are; NULL for a table whose rows come and go
-- slot: checksum | A number that changes with the keys
-- unit: rows, tokens and keys
-- column: rows | Rows
-- column: tokens | Input and output tokens; NULL for a table without tokens, or whose rows come and go
-- column: keys | Different keys; NULL for a table whose rows come and go
-- column: checksum | A checksum of the keys, whatever their order
SELECT count() AS rows, {{tokens}} AS tokens, {{keys}} AS keys, toString({{checksum}}) AS checksum
FROM {{table}} {{final}}

-- title: The rows of a table and month
-- asked by: tokentrail export ledger
-- slot: columns | The columns, as an archive has them
-- slot: table | The table
-- slot: final | FINAL where copies of a row count once
-- slot: month | The month of a row
-- slot: wanted | The month; 0 with 0 as the month of a row: all rows
-- unit: rows
-- column: row | Every column of the slot
--
-- Row groups of this size bound the memory of the writing and of any reading.
SELECT {{columns}}
FROM {{table}} AS t {{final}}
WHERE {{month}} = {{wanted}}
SETTINGS output_format_parquet_row_group_size = 100000, output_format_parquet_compression_method = 'zstd'

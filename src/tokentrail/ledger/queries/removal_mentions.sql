-- title: In how many rows of a table a text stands as a word of its own, by column
-- asked by: tokentrail erase
-- parameter: forms Array(String) | The text, as it is and as JSON, maps and addresses write it
-- parameter: pattern String | A regular expression of the same forms, with what may stand around them
-- slot: table | The table
-- slot: texts | The texts of a row, one a column
-- unit: rows
-- column: rows | Rows, for each column
--
-- The rows with the text are found on each shard, and are few.
SELECT sumForEach(found) AS rows
FROM
(
    SELECT arrayMap(text -> toUInt8(multiSearchAny(text, {forms:Array(String)}) AND match(text, {pattern:String})), {{texts}}) AS found
    FROM {{table}}
    WHERE has(found, 1)
)

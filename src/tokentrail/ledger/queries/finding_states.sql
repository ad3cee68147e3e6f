-- title: The findings of tokentrail reconcile, each with its state
-- asked by: tokentrail reconcile
-- parameter: ids Array(String) = | Only findings whose ids begin with one of these; empty for all
-- parameter: history UInt8 = 0 | 1: all states of each finding, 0: the last one
-- unit: one row a finding, or a state
-- column: id | The finding
-- column: version | The number of the state
-- column: row_id | The row that counts
-- column: at | When it was written, UTC
-- column: state | open, explained, corrected or gone
-- column: by_hand | Whether a person decided so
-- column: who | Who decided so
-- column: why | Why
-- column: source | The other witness
-- column: subject | What differs inside
-- column: starts | The interval's first moment, UTC
-- column: ends | The interval's end
-- column: provider | Who answered
-- column: model | The model
-- column: project | The project
-- column: api_key | The key
-- column: measures | What differs
-- column: stated | What the other witness states, as texts
-- column: counted | What the ledger says, as texts
-- column: explanations | What could explain the difference
-- column: held | What a record of the ledger has in its columns to belong to the place
-- column: entry | The reversing entry of a correction, as JSON
SELECT
    id, version, row_id, at, state, by_hand, who, why, source, subject, starts, ends, provider, model, project, api_key, measures,
    arrayMap(each -> ifNull(toString(each), ''), f.stated) AS stated, arrayMap(each -> ifNull(toString(each), ''), f.counted) AS counted, explanations,
    held, entry
FROM
(
    SELECT *
    FROM ({{queries.finding_rows}})
    WHERE empty({ids:Array(String)}) OR arrayExists(each -> startsWith(id, each), {ids:Array(String)})
    ORDER BY id, version DESC
    LIMIT if({history:UInt8} = 1, 1000000, 1) BY id
) AS f
ORDER BY id, version

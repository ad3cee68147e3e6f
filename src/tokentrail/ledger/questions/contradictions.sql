-- title: Claimed keys for which records state different numbers
-- asked by: analysts and SREs
-- unit: tokens and calls; one row per set of numbers
-- column: key | The claimed key
-- column: source | Where the weaker count of this set comes from: reported, estimated or unknown
-- column: counts | Whether the ledger counts this set
-- column: calls | Calls that this set stands for
-- column: input_tokens | Input tokens
-- column: output_tokens | Output tokens
-- column: first_ts | Earliest time of a record with this set
-- column: last_ts | Latest time of a record with this set
-- column: writer_id | One of the writers of these records
SELECT key, source, counts, calls, input_tokens, output_tokens, first_ts, last_ts, writer_id
FROM ({{queries.conflicts}})
ORDER BY key, first_ts, source, writer_id, input_tokens, output_tokens

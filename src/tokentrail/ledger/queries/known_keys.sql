-- title: Which claimed keys the ledger has, and with which counts
-- asked by: tokentrail import
-- slot: keys | The keys, as an array of texts
-- slot: times | The times that the keys state, in nanoseconds, as an array of numbers; 0 for keys that state none
-- unit: tokens
-- column: key | The key
-- column: input_tokens | Input tokens of the record that counts
-- column: output_tokens | Output tokens of the record that counts
--
-- The times lead to the parts and granules where such keys lie: without them each look-up would read the hashes of all keys. Slots and
-- no parameters, because a server takes 128 KiB as the value of a parameter, and keys have up to 1 KiB.
SELECT
    if(key_kind = 'four_part', concat(key_head, ':', toString(toUnixTimestamp64Nano(key_ts))), key_head) AS key,
    input_tokens,
    output_tokens
FROM usage_ledger FINAL
WHERE key_ts IN (SELECT fromUnixTimestamp64Nano(toInt64(arrayJoin({{times}})), 'UTC'))
    AND key_hash IN (SELECT reinterpretAsUInt128(sipHash128('', arrayJoin({{keys}}))))
ORDER BY key

-- Bridged rows that do not count, because another record tells of the same call:
--   a record of tokentrail, by the same span or by the same response id in the same trace;
--   a call inside the span (three spans deep, for each level costs milliseconds of planning): an outer span, a framework's perhaps, states the tokens of
--   the calls below it;
--   another bridged row with the same response id and the same counts in the same trace, of which the one that began last counts, the innermost.
-- Computed when the ledger is read, because records and spans arrive in either order. Where there are no bridged rows, `since` is NULL and no part is read.
CREATE OR REPLACE VIEW bridged_again
(
    key_hash UInt128 COMMENT 'Hash of the key of a bridged row that does not count'
)
AS
WITH
    toDateTime64('1970-01-01 00:00:00', 9, 'UTC') AS no_time,
    (SELECT minOrNull(event_ts) - toIntervalDay(1) FROM usage_ledger WHERE key_ts = no_time AND origin_name = 'bridged') AS since,
    bridged AS
    (
        SELECT key_hash, trace_id, span_id, response_id, event_ts, input_tokens, output_tokens
        FROM usage_ledger FINAL
        WHERE key_ts = no_time AND origin_name = 'bridged' AND trace_id != ''
    ),
    around_calls AS (SELECT trace_id, parent_id FROM bridge_spans WHERE is_call),
    two_around AS (SELECT trace_id, parent_id FROM bridge_spans WHERE (trace_id, span_id) GLOBAL IN (SELECT trace_id, parent_id FROM around_calls)),
    three_around AS (SELECT trace_id, parent_id FROM bridge_spans WHERE (trace_id, span_id) GLOBAL IN (SELECT trace_id, parent_id FROM two_around))
SELECT key_hash
FROM bridged
ARRAY JOIN [span_id, concat('response ', response_id)] AS identity
WHERE (trace_id, identity) GLOBAL IN
    (
        SELECT trace_id, arrayJoin(if(response_id = '', [span_id], [span_id, concat('response ', response_id)]))
        FROM usage_ledger
        WHERE (key_ts >= since OR (key_ts = no_time AND since IS NOT NULL)) AND origin_name != 'bridged'
            AND trace_id GLOBAL IN (SELECT trace_id FROM bridged)
        UNION ALL SELECT trace_id, parent_id FROM around_calls
        UNION ALL SELECT trace_id, parent_id FROM two_around
        UNION ALL SELECT trace_id, parent_id FROM three_around
    )
UNION ALL
SELECT arrayJoin(arrayPopBack(arrayMap(pair -> tupleElement(pair, 2), arraySort(groupArray((event_ts, key_hash)))))) AS key_hash
FROM bridged
WHERE response_id != ''
GROUP BY trace_id, response_id, input_tokens, output_tokens
HAVING count() > 1
COMMENT 'Bridged rows of which another record tells too: they do not count';

-- What records without counts tell of providers' jobs. Their keys are the job's key, ## and the name of the fact; see `tokentrail.recording.jobs`.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_to_jobs TO usage_jobs AS
WITH substringIndex(key, '#', -1) AS fact
SELECT
    substringIndex(key, '#', 1) AS job,
    groupUniqArrayIf(response_id, fact != 'created' AND response_id != '') AS results,
    max(toUInt8(fact = 'usage')) AS stated,
    argMinStateIf((tenant_id, operation_name, operation_id, metadata, metadata_cut), event_ts, fact = 'created') AS creation
FROM usage_parsed
WHERE event = 'usage' AND problem = '' AND NOT not_taken AND calls = 0 AND key_kind IN ('object', 'opaque') AND corrects_key = ''
    AND match(key, '.##(created|results|usage)$')
GROUP BY job;

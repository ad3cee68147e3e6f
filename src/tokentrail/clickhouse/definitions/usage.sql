-- The view for readers of the ledger. A word added to the vocabulary changes this text, and so the type of existing rows.
-- Two branches, because a filter on `ts` prunes partitions and granules only where `ts` is the sorting key itself: rows whose key states a time are
-- found by `ts`; rows with other (opaque) keys lie in one partition, which is scanned whole.
-- The usage of a provider's job counts for the tenant and the operation of its creation, wherever the job was polled; its results do not count if the
-- job states its usage itself. What is known of jobs is a small table, and joined to the rows of jobs alone: a join of all rows cost twenty times as
-- much (measured with 26.9). Of the bridged rows, which have opaque keys, those count that no other record tells of, in whatever order the records
-- came. `timed` is a constant of each branch: a condition on it leaves whole branches out (the sums of days, usage_day_sums). PREWHERE, which comes before FINAL, is right here: all records of a key have one kind and one text.
CREATE OR REPLACE VIEW usage{{on_cluster}}
(
{{part usage_columns}}
)
AS
SELECT
    ts,
    tenant_id,
    CAST(toInt8(transform(operation_name, {{Operation.words}}, {{Operation.numbers}}, 0)) AS {{Operation.type}}) AS operation,
    operation_name,
    CAST(toInt8(transform(token_type_name, {{TokenType.words}}, {{TokenType.numbers}}, 0)) AS {{TokenType.type}}) AS token_type,
    endpoint,
    gen_ai_operation,
    provider,
    if(response_model != '', response_model, request_model) AS model,
    request_model,
    response_model,
    model_family,
    CAST(least(CAST(input_source, 'Int8'), CAST(output_source, 'Int8')) AS {{Source.type}}) AS source,
    input_source,
    output_source,
    tokenizer,
    CAST(toInt8(transform(ended_name, {{Ended.words}}, {{Ended.numbers}}, 0)) AS {{Ended.type}}) AS ended,
    calls,
    {{each counts: $name,}}
    input_chars,
    output_chars,
    texts,
    duration_ns / 1000000 AS duration_ms,
    time_to_first_chunk_ns / 1000000 AS time_to_first_chunk_ms,
    stream,
    attempts,
    error_type,
    server_address,
    server_port,
    service_name,
    service_version,
    environment,
    operation_id,
    response_id,
    trace_id,
    span_id,
    writer_id,
    seq,
    arrived_at,
    key_kind,
    if(key_kind IN ('automatic', 'four_part'), concat(key_head, ':', toString(toUnixTimestamp64Nano(key_ts))), key_head) AS idempotency_key,
    corrects_key,
    metadata,
    metadata_cut,
    CAST(toInt8(transform(origin_name, {{Origin.words}}, {{Origin.numbers}}, 0)) AS {{Origin.type}}) AS origin,
    instrumentation,
    timed
FROM
(
    SELECT *, key_ts AS ts, true AS timed
    FROM usage_ledger FINAL
    PREWHERE key_kind != 'object'
    WHERE key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
    UNION ALL
    SELECT *, event_ts AS ts, false AS timed
    FROM usage_ledger FINAL
    PREWHERE position(key_head, '#') = 0
    WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        AND key_hash GLOBAL NOT IN (SELECT key_hash FROM bridged_again)
        AND key_head GLOBAL NOT IN (SELECT job FROM usage_jobs)
    UNION ALL
    SELECT
        of_jobs.* EXCEPT (job) REPLACE
        (
            toLowCardinality(if(created.1 != '', created.1, of_jobs.tenant_id)) AS tenant_id,
            toLowCardinality(if(created.2 != '', created.2, of_jobs.operation_name)) AS operation_name,
            if(created.2 != '', created.3, of_jobs.operation_id) AS operation_id,
            if(created.2 != '', created.4, of_jobs.metadata) AS metadata,
            if(created.2 != '', created.5, of_jobs.metadata_cut) AS metadata_cut
        )
    FROM
    (
        SELECT *, key_ts AS ts, false AS timed, substringIndex(key_head, '#', 1) AS job
        FROM usage_ledger FINAL
        PREWHERE key_kind = 'object'
        WHERE key_ts > toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        UNION ALL
        SELECT *, event_ts AS ts, false AS timed, substringIndex(key_head, '#', 1) AS job
        FROM usage_ledger FINAL
        PREWHERE position(key_head, '#') > 0
        WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
        UNION ALL
        SELECT *, event_ts AS ts, false AS timed, key_head AS job
        FROM usage_ledger FINAL
        PREWHERE key_head GLOBAL IN (SELECT job FROM usage_jobs)
        WHERE key_ts = toDateTime64('1970-01-01 00:00:00', 9, 'UTC')
    ) AS of_jobs
    LEFT ANY JOIN
    (
        SELECT arrayJoin(arrayPushBack(names, own_name)) AS name, is_stated, created
        FROM
        (
            SELECT job AS own_name, arraySort(groupUniqArrayArray(results)) AS names, max(stated) AS is_stated, argMinMerge(creation) AS created
            FROM usage_jobs
            GROUP BY job
        )
    ) AS known ON of_jobs.job = known.name
    WHERE NOT (calls = 0 AND match(key_head, '.##(created|results|usage)$'))
        AND NOT (is_stated = 1 AND position(key_head, '#') > 0)
)
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row per usage, each counted once: what everybody reads';

-- The stored sums of all builds, with the columns' types of the views usage and usage_cost: also of builds that do not count (any more).
CREATE OR REPLACE VIEW usage_builds{{on_cluster}}
(
{{part day_columns}}
    , build                UInt64 COMMENT 'The build of the sums: which one of a day counts, the view usage_fresh_days states'
)
AS
SELECT
    d.day,
    d.tenant_id,
    CAST(toInt8(transform(d.operation_name, {{Operation.words}}, {{Operation.numbers}}, 0)) AS {{Operation.type}}) AS operation,
    d.operation_name,
    CAST(toInt8(transform(d.token_type_name, {{TokenType.words}}, {{TokenType.numbers}}, 0)) AS {{TokenType.type}}) AS token_type,
    d.endpoint,
    d.gen_ai_operation,
    d.provider,
    d.model,
    d.request_model,
    d.response_model,
    d.model_family,
    CAST(least(CAST(d.input_source, 'Int8'), CAST(d.output_source, 'Int8')) AS {{Source.type}}) AS source,
    d.input_source,
    d.output_source,
    d.tokenizer,
    CAST(toInt8(transform(d.ended_name, {{Ended.words}}, {{Ended.numbers}}, 0)) AS {{Ended.type}}) AS ended,
    d.calls,
    {{each counts: d.$name,}}
    {{each sizes: d.$name,}}
    d.stream,
    d.attempts,
    d.error_type,
    d.server_address,
    d.service_name,
    d.service_version,
    d.environment,
    d.key_kind,
    CAST(toInt8(transform(d.origin_name, {{Origin.words}}, {{Origin.numbers}}, 0)) AS {{Origin.type}}) AS origin,
    d.instrumentation,
    CAST(toInt8(transform(d.cost_state, ['uncounted', 'unpriced', 'partly', 'priced'], [0, 1, 2, 3], 0)),
        'Enum8(\'uncounted\' = 0, \'unpriced\' = 1, \'partly\' = 2, \'priced\' = 3)') AS cost_state,
    d.input_cost,
    d.output_cost,
    d.call_cost,
    d.input_cost + d.output_cost + d.call_cost AS cost,
    d.currency,
    d.price_source,
    d.price_model,
    d.build
FROM usage_days AS d
COMMENT 'Sums by day of all builds. Read usage_daily, which has those that count'

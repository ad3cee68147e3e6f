-- What `tokentrail rollup` stores of a day: the sums of the usages whose key states its time, by everything that questions ask for and that has few
-- values. Rows with other keys stay out: which of them count may change without an arrival on their day. A count that is stated in some rows of a
-- group and not in others would make the group's rows countable as stated, so rows are grouped by what they state too.
CREATE OR REPLACE VIEW usage_day_sums{{on_cluster}}
(
    day                    Date COMMENT 'The day of the keys'' times, UTC',
    provider               LowCardinality(String) COMMENT 'Who answered',
    model                  LowCardinality(String) COMMENT 'The model that answered, or the requested one',
    request_model          LowCardinality(String) COMMENT 'The model that was asked for',
    response_model         LowCardinality(String) COMMENT 'The model that answered',
    model_family           LowCardinality(String) COMMENT 'The model''s family',
    tenant_id              LowCardinality(String) COMMENT 'Whose tokens these are',
    operation_name         LowCardinality(String) COMMENT 'The operation as it was given',
    token_type_name        LowCardinality(String) COMMENT 'What kind of tokens, as a word of the vocabulary',
    endpoint               LowCardinality(String) COMMENT 'The kind of call',
    gen_ai_operation       LowCardinality(String) COMMENT 'The operation''s name in the GenAI conventions',
    ended_name             LowCardinality(String) COMMENT 'How the calls ended, as a word of the vocabulary',
    error_type             LowCardinality(String) COMMENT 'What ended the calls with an error',
    tokenizer              LowCardinality(String) COMMENT 'What counted an estimate',
    server_address         LowCardinality(String) COMMENT 'The host that was called',
    service_name           LowCardinality(String) COMMENT 'The service that made the calls',
    service_version        LowCardinality(String) COMMENT 'Its version',
    environment            LowCardinality(String) COMMENT 'Its deployment environment',
    origin_name            LowCardinality(String) COMMENT 'Who told of the calls, as a word of the vocabulary',
    instrumentation        LowCardinality(String) COMMENT 'The instrumentation scope of bridged usages',
    input_source           {{Source.type}} COMMENT 'Where the input counts come from',
    output_source          {{Source.type}} COMMENT 'Where the output counts come from',
    key_kind               {{KeyKind.type}} COMMENT 'Who made the keys',
    stream                 Bool COMMENT 'Whether streams were asked for',
    attempts               UInt16 COMMENT 'HTTP requests that the SDK made for each of these calls',
    currency               LowCardinality(String) COMMENT 'The currency of the price, ISO 4217; empty: no price',
    cost_state             LowCardinality(String) COMMENT 'Whether the usages are priced, as a word',
    price_source           LowCardinality(String) COMMENT 'Whose price',
    price_model            LowCardinality(String) COMMENT 'What the list calls the model',
    calls                  Int64 COMMENT 'Calls',
    {{each counts: $name Nullable(Int64) COMMENT '$literal',}}
    input_chars            Nullable(Int64) COMMENT 'Characters sent',
    output_chars           Nullable(Int64) COMMENT 'Characters received',
    texts                  Nullable(Int64) COMMENT 'Texts sent',
    input_cost             Nullable(Decimal(38, 18)) COMMENT 'What the input tokens cost',
    output_cost            Nullable(Decimal(38, 18)) COMMENT 'What the output tokens cost',
    call_cost              Nullable(Decimal(38, 18)) COMMENT 'What the calls themselves cost, and their time'
)
AS
SELECT
    toDate(u.ts) AS day,
    u.provider AS provider,
    u.model AS model,
    u.request_model AS request_model,
    u.response_model AS response_model,
    u.model_family AS model_family,
    u.tenant_id AS tenant_id,
    u.operation_name AS operation_name,
    toLowCardinality(toString(u.token_type)) AS token_type_name,
    u.endpoint AS endpoint,
    u.gen_ai_operation AS gen_ai_operation,
    toLowCardinality(toString(u.ended)) AS ended_name,
    u.error_type AS error_type,
    u.tokenizer AS tokenizer,
    u.server_address AS server_address,
    u.service_name AS service_name,
    u.service_version AS service_version,
    u.environment AS environment,
    toLowCardinality(toString(u.origin)) AS origin_name,
    u.instrumentation AS instrumentation,
    u.input_source AS input_source,
    u.output_source AS output_source,
    u.key_kind AS key_kind,
    u.stream AS stream,
    u.attempts AS attempts,
    u.currency AS currency,
    toLowCardinality(toString(u.cost_state)) AS cost_state,
    u.price_source AS price_source,
    u.price_model AS price_model,
    sum(u.calls) AS calls,
    {{each counts: sum(u.$name) AS $name,}}
    {{each sizes: sum(u.$name) AS $name,}}
    sum(u.input_cost) AS input_cost,
    sum(u.output_cost) AS output_cost,
    sum(u.call_cost) AS call_cost
FROM usage_cost AS u
WHERE u.timed
GROUP BY
    day,
    {{each summed_by: $name,}}
    tuple({{each counts: isNull(u.$name), }}{{each sizes: isNull(u.$name), }}0)
COMMENT 'The sums of a day as the ledger has them now: what tokentrail rollup stores';

-- What each usage costs: its tokens by the price at the time of the call, in decimals. A new price changes what this view says, and no token.
-- Tokens of a class with a rate of its own are taken out of their total; those of a class without one are paid as the rest of the total. A rate's step
-- holds for all tokens of a call with more input than the step. Without a price there is no cost, and no 0.
CREATE OR REPLACE VIEW usage_cost{{on_cluster}}
(
{{part usage_columns}}
    , cost_state           Enum8('uncounted' = 0, 'unpriced' = 1, 'partly' = 2, 'priced' = 3) COMMENT 'Whether the usage is priced, partly priced (some of its tokens have no rate, or are not known: a lower bound), unpriced, or states no tokens'
    , input_cost           Nullable(Decimal(38, 18)) COMMENT 'What its input tokens cost'
    , output_cost          Nullable(Decimal(38, 18)) COMMENT 'What its output tokens cost'
    , call_cost            Nullable(Decimal(38, 18)) COMMENT 'What the call itself costs, and its time'
    , cost                 Nullable(Decimal(38, 18)) COMMENT 'What the usage costs, in its currency. NULL: no price, or no tokens stated. Negative in a correction'
    , currency             LowCardinality(String) COMMENT 'The currency of the price, ISO 4217; empty: no price'
    , price_source         LowCardinality(String) COMMENT 'Whose price: own, or the name of a public list; empty: no price'
    , price_model          LowCardinality(String) COMMENT 'What the list calls the model'
)
AS
WITH
    toHour(u.ts) * 3600 + toMinute(u.ts) * 60 + toSecond(u.ts) AS second_of_day,
    arrayFirst(
        each -> u.ts >= each.valid_from AND u.ts < each.valid_to AND (NOT each.batch OR u.endpoint = 'batch')
            AND if(each.daily_from < each.daily_to,
                second_of_day >= each.daily_from AND second_of_day < each.daily_to,
                second_of_day >= each.daily_from OR second_of_day < each.daily_to),
        p.prices) AS found,
    ifNull(u.input_tokens, 0) AS into,
    ifNull(u.output_tokens, 0) AS out,
    {{each rates: arrayLast(step -> into > step.above, found.$name).price AS rate_$name,}}
    if(notEmpty(found.cache_write_1h), ifNull(u.cache_write_1h_tokens, 0), 0) AS written_for_an_hour,
    if(notEmpty(found.cache_write), ifNull(u.cache_write_tokens, 0) - written_for_an_hour, 0) AS written,
    if(notEmpty(found.cache_read), ifNull(u.cache_read_tokens, 0), 0) AS read,
    if(notEmpty(found.audio_input), ifNull(u.audio_input_tokens, 0), 0) AS heard,
    if(notEmpty(found.image_input), ifNull(u.image_input_tokens, 0), 0) AS seen,
    into - written_for_an_hour - written - read - heard - seen AS rest_of_input,
    if(notEmpty(found.reasoning), ifNull(u.reasoning_tokens, 0), 0) AS thought,
    if(notEmpty(found.audio_output), ifNull(u.audio_output_tokens, 0), 0) AS spoken,
    if(notEmpty(found.image_output), ifNull(u.image_output_tokens, 0), 0) AS drawn,
    out - thought - spoken - drawn AS rest_of_output,
    multiIf(
        u.input_tokens IS NULL AND u.output_tokens IS NULL AND empty(found.call) AND empty(found.hour), 'uncounted',
        found.currency = '', 'unpriced',
        u.source = 'unknown' OR (rest_of_input != 0 AND empty(found.input)) OR (rest_of_output != 0 AND empty(found.output)), 'partly',
        'priced') AS state,
    toDecimal128(if(into >= 0, greatest(rest_of_input, 0), rest_of_input), 0) * rate_input
        + toDecimal128(written_for_an_hour, 0) * rate_cache_write_1h
        + toDecimal128(written, 0) * rate_cache_write
        + toDecimal128(read, 0) * rate_cache_read
        + toDecimal128(heard, 0) * rate_audio_input
        + toDecimal128(seen, 0) * rate_image_input AS millions_of_input,
    toDecimal128(if(out >= 0, greatest(rest_of_output, 0), rest_of_output), 0) * rate_output
        + toDecimal128(thought, 0) * rate_reasoning
        + toDecimal128(spoken, 0) * rate_audio_output
        + toDecimal128(drawn, 0) * rate_image_output AS millions_of_output,
    toDecimal128(u.calls, 0) * rate_call
        + toDecimal128(toInt64(round(ifNull(u.duration_ms, 0) * 1000)), 0) * rate_hour / 3600000000 AS of_calls
SELECT
    u.*,
    CAST(state, 'Enum8(\'uncounted\' = 0, \'unpriced\' = 1, \'partly\' = 2, \'priced\' = 3)') AS cost_state,
    if(state IN ('partly', 'priced'), millions_of_input / 1000000, NULL) AS input_cost,
    if(state IN ('partly', 'priced'), millions_of_output / 1000000, NULL) AS output_cost,
    if(state IN ('partly', 'priced'), of_calls, NULL) AS call_cost,
    input_cost + output_cost + call_cost AS cost,
    toLowCardinality(found.currency) AS currency,
    toLowCardinality(found.source) AS price_source,
    toLowCardinality(found.model) AS price_model
FROM usage AS u
LEFT ANY JOIN model_prices AS p ON u.provider = p.provider AND u.request_model = p.request_model AND u.response_model = p.response_model
COMMENT 'What each usage costs, by the price at the time of the call';

-- What each usage costs: its tokens by the price at the time of the call, in decimals. A new price changes what this view says, and no token.
-- Tokens of a class with a rate of its own are taken out of their total; those of a class without one are paid as the rest of the total. Without a price
-- there is no cost, and no 0. A row carries the number of its price alone through the join with the times of prices: with the rates a million rows took minutes, and now a second.
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
    , charges              Array(Tuple(meter String, quantity Decimal(38, 18), unit_price Decimal(38, 18), cost Decimal(38, 18))) COMMENT 'The cost by class of tokens: the name of the rate, so many tokens, calls or hours, the rate, and what they cost'
)
AS
WITH
    ifNull(u.input_tokens, 0) AS into,
    ifNull(u.output_tokens, 0) AS out,
    {{each rates: ifNull(r.$name, 0) AS rate_$name,}}
    if(r.cache_write_1h IS NULL, 0, ifNull(u.cache_write_1h_tokens, 0)) AS written_for_an_hour,
    if(r.cache_write IS NULL, 0, ifNull(u.cache_write_tokens, 0) - written_for_an_hour) AS written,
    if(r.cache_read IS NULL, 0, ifNull(u.cache_read_tokens, 0)) AS read,
    if(r.audio_input IS NULL, 0, ifNull(u.audio_input_tokens, 0)) AS heard,
    if(r.image_input IS NULL, 0, ifNull(u.image_input_tokens, 0)) AS seen,
    into - written_for_an_hour - written - read - heard - seen AS rest_of_input,
    if(r.reasoning IS NULL, 0, ifNull(u.reasoning_tokens, 0)) AS thought,
    if(r.audio_output IS NULL, 0, ifNull(u.audio_output_tokens, 0)) AS spoken,
    if(r.image_output IS NULL, 0, ifNull(u.image_output_tokens, 0)) AS drawn,
    out - thought - spoken - drawn AS rest_of_output,
    multiIf(
        u.input_tokens IS NULL AND u.output_tokens IS NULL AND r.call IS NULL AND r.hour IS NULL, 'uncounted',
        r.currency = '', 'unpriced',
        u.source = 'unknown' OR (rest_of_input != 0 AND r.input IS NULL) OR (rest_of_output != 0 AND r.output IS NULL), 'partly',
        'priced') AS state,
    if(into >= 0, greatest(rest_of_input, 0), rest_of_input) AS paid_as_input,
    if(out >= 0, greatest(rest_of_output, 0), rest_of_output) AS paid_as_output,
    ((meter, tokens, rate, has_rate) -> (meter, toDecimal128(tokens, 18), rate, toDecimal128(tokens, 0) * rate / 1000000, has_rate)) AS charged,
    toDecimal128(paid_as_input, 0) * rate_input
        + toDecimal128(written_for_an_hour, 0) * rate_cache_write_1h
        + toDecimal128(written, 0) * rate_cache_write
        + toDecimal128(read, 0) * rate_cache_read
        + toDecimal128(heard, 0) * rate_audio_input
        + toDecimal128(seen, 0) * rate_image_input AS millions_of_input,
    toDecimal128(paid_as_output, 0) * rate_output
        + toDecimal128(thought, 0) * rate_reasoning
        + toDecimal128(spoken, 0) * rate_audio_output
        + toDecimal128(drawn, 0) * rate_image_output AS millions_of_output,
    toDecimal128(toInt64(round(ifNull(u.duration_ms, 0) * 1000)), 0) AS microseconds,
    toDecimal128(u.calls, 0) * rate_call
        + microseconds * rate_hour / 3600000000 AS of_calls
SELECT
    u.* EXCEPT (price_id, second_of_day),
    CAST(state, 'Enum8(\'uncounted\' = 0, \'unpriced\' = 1, \'partly\' = 2, \'priced\' = 3)') AS cost_state,
    if(state IN ('partly', 'priced'), millions_of_input / 1000000, NULL) AS input_cost,
    if(state IN ('partly', 'priced'), millions_of_output / 1000000, NULL) AS output_cost,
    if(state IN ('partly', 'priced'), of_calls, NULL) AS call_cost,
    input_cost + output_cost + call_cost AS cost,
    r.currency AS currency,
    r.source AS price_source,
    toLowCardinality(r.model) AS price_model,
    if(state IN ('partly', 'priced'),
        arrayMap(each -> (each.1, each.2, each.3, each.4), arrayFilter(each -> each.2 != 0 AND each.5, [
            charged('input', paid_as_input, rate_input, r.input IS NOT NULL),
            charged('cache_read', read, rate_cache_read, r.cache_read IS NOT NULL),
            charged('cache_write', written, rate_cache_write, r.cache_write IS NOT NULL),
            charged('cache_write_1h', written_for_an_hour, rate_cache_write_1h, r.cache_write_1h IS NOT NULL),
            charged('audio_input', heard, rate_audio_input, r.audio_input IS NOT NULL),
            charged('image_input', seen, rate_image_input, r.image_input IS NOT NULL),
            charged('output', paid_as_output, rate_output, r.output IS NOT NULL),
            charged('reasoning', thought, rate_reasoning, r.reasoning IS NOT NULL),
            charged('audio_output', spoken, rate_audio_output, r.audio_output IS NOT NULL),
            charged('image_output', drawn, rate_image_output, r.image_output IS NOT NULL),
            ('call', toDecimal128(u.calls, 18), rate_call, toDecimal128(u.calls, 0) * rate_call, r.call IS NOT NULL),
            ('hour', toDecimal128(microseconds, 18) / 3600000000, rate_hour, microseconds * rate_hour / 3600000000, r.hour IS NOT NULL)])),
        []) AS charges
FROM
(
    SELECT
        c.*,
        arrayFirst(
            each -> c.ts >= each.valid_from AND c.ts < each.valid_to AND (NOT each.batch OR c.endpoint = 'batch') AND ifNull(c.input_tokens, 0) > each.above
                AND if(each.daily_from < each.daily_to,
                    second_of_day >= each.daily_from AND second_of_day < each.daily_to,
                    second_of_day >= each.daily_from OR second_of_day < each.daily_to),
            p.prices).id AS price_id,
        toHour(c.ts) * 3600 + toMinute(c.ts) * 60 + toSecond(c.ts) AS second_of_day
    FROM usage AS c
    LEFT ANY JOIN model_prices AS p ON c.provider = p.provider AND c.request_model = p.request_model AND c.response_model = p.response_model
) AS u
LEFT ANY JOIN (SELECT id, source, model, currency, {{each rates: $name, }}note FROM prices) AS r ON u.price_id = r.id
COMMENT 'What each usage costs, by the price at the time of the call';

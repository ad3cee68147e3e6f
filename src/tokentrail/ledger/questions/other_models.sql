-- title: Where another model has answered than the requested one
-- asked by: analysts and SREs
-- unit: calls and tokens
-- column: provider | Who answered
-- column: request_model | The model that was asked for
-- column: response_model | The model that answered, as it names itself
-- column: calls | Calls
-- column: tokens | Input and output tokens that are known
-- column: latest | The latest call, UTC
--
-- An alias and its dated version (gpt-4o, gpt-4o-2024-08-06), and a name with and without its vendor, are the same model here.
SELECT
    u.provider,
    u.request_model,
    u.response_model,
    sum(u.calls) AS calls,
    sum(ifNull(u.input_tokens, 0) + ifNull(u.output_tokens, 0)) AS tokens,
    max(u.ts) AS latest
FROM ({{queries.selected}}) AS u
WHERE u.request_model != '' AND u.response_model != ''
    AND position(u.response_model, u.request_model) = 0 AND position(u.request_model, u.response_model) = 0
GROUP BY u.provider, u.request_model, u.response_model
ORDER BY tokens DESC, u.provider, u.request_model, u.response_model

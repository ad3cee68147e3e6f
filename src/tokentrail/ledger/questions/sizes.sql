-- title: How large calls are, by model and operation
-- asked by: analysts
-- unit: tokens a call
-- column: model | The model
-- column: operation | What for
-- column: calls | Calls whose input is known
-- column: input_p50 | Half of the calls have at most so many input tokens
-- column: input_p95 | 95 of 100 calls
-- column: input_most | The largest input
-- column: output_p50 | Half of the calls have at most so many output tokens
-- column: output_p95 | 95 of 100 calls
-- column: output_most | The largest output
SELECT
    u.model,
    u.operation,
    count() AS calls,
    quantileExact(0.5)(u.input_tokens) AS input_p50,
    quantileExact(0.95)(u.input_tokens) AS input_p95,
    max(u.input_tokens) AS input_most,
    quantileExact(0.5)(u.output_tokens) AS output_p50,
    quantileExact(0.95)(u.output_tokens) AS output_p95,
    max(u.output_tokens) AS output_most
FROM ({{queries.selected}}) AS u
WHERE u.input_tokens IS NOT NULL AND u.calls = 1
GROUP BY u.model, u.operation
ORDER BY calls DESC, u.model, u.operation

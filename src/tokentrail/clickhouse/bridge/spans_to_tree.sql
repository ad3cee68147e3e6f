-- The tree of the spans of calls, and of the spans around them. Spans of tokentrail stand in it, because a framework's span may be around one of them.
CREATE MATERIALIZED VIEW IF NOT EXISTS spans_to_tree{{on_cluster}} TO bridge_spans{{local}} AS
WITH
    SpanAttributes AS given,
    {{each bridge_kinds: given[$literal] NOT IN ('', $calls) AS $name,}}
    arrayExists(text -> text != '', [{{each bridge_totals: $said, }}'']) AS states_tokens,
    lower(given[{{GEN_AI_OPERATION}}]) AS operation_word
SELECT
    TraceId AS trace_id, SpanId AS span_id, ParentSpanId AS parent_id,
    if(ScopeName = {{SCOPE}}, operation_word != '', states_tokens) AND operation_word NOT IN ({{bridge.no_calls}}){{each bridge_kinds:  AND NOT $name}} AS is_call
FROM otel_traces{{local}}
WHERE TraceId != '' AND ParentSpanId != '' AND SpanKind NOT IN ({{bridge.server_side}})
    AND (ScopeName = {{SCOPE}} OR states_tokens OR arrayExists(name -> startsWith(name, 'gen_ai.') OR startsWith(name, 'llm.'), mapKeys(given))
        {{each bridge_kinds: OR given[$literal] != ''}});

-- Events of other instrumentations (`gen_ai.client.inference.operation.details`, and any log record that states tokens) become records of the ledger,
-- under the identity of their span, so that a span and an event of one call count once; an event without a span is known by all that it says.
-- Selected by the attributes, because an exporter that has started without ClickHouse leaves names of events empty. No expression can fail.
CREATE MATERIALIZED VIEW IF NOT EXISTS events_to_landing{{on_cluster}} TO usage_landing AS
WITH
    (text -> leftUTF8(text, 512)) AS short,
    {{each bridged: arrayFirst(text -> text NOT IN ($unstated), [$said]) AS $name,}}
    {{each bridge_kinds: given[$literal] NOT IN ('', $calls) AS $name,}}
    transform(lower(gen_ai_operation), {{bridge.operations}}, {{bridge.operation_names}}, lower(gen_ai_operation)) AS operation_word,
    transform(lower(provider), {{bridge.providers}}, {{bridge.provider_names}}, lower(provider)) AS provider_word,
    if(match(TraceId, '^[0-9a-f]{32}$') AND match(SpanId, '^[0-9a-f]{16}$'), concat('span:', TraceId, ':', SpanId),
        concat('event:', lower(hex(sipHash128(toUnixTimestamp64Nano(Timestamp), ServiceName, ScopeName, mapKeys(given), mapValues(given)))))) AS key
SELECT
    Timestamp, TraceId, SpanId, 9 AS SeverityNumber, ServiceName,
    toJSONString(mapFilter((name, text) -> text != '', map(
        'event', {{EVENT_USAGE}}, 'ts', toString(toUnixTimestamp64Nano(Timestamp)), 'key', key, 'key_kind', {{KeyKind.OPAQUE}},
        'origin', {{Origin.BRIDGED}}, 'instrumentation', short(ScopeName),
        'tenant_id', short(if(tenant_id != '', tenant_id, ResourceAttributes[{{TENANT_ID}}])),
        'operation', short(operation), 'operation_id', short(operation_id),
        'token_type', if(operation_word = {{bridge.embeddings}}, {{TokenType.EMBEDDING}}, {{TokenType.LLM}}),
        'endpoint', short(operation_word), 'gen_ai_operation', short(operation_word), 'provider', short(provider_word),
        'request_model', short(request_model), 'response_model', short(response_model), 'response_id', short(response_id),
        'server_address', short(server_address), 'server_port', if(toUInt16OrNull(server_port) IS NULL, '', server_port),
        'stream', if(lower(stream) IN ('true', 'false'), lower(stream), ''),
        'ended', if(error_type != '', {{Ended.ERROR}}, ''), 'error_type', short(error_type),
        {{each bridged_counts: '$name', short($name),}}
        'input_source', if(input_tokens = '', '', {{Source.REPORTED}}), 'output_source', if(output_tokens = '' AND operation_word != {{bridge.embeddings}}, '', {{Source.REPORTED}})
    ))) AS Body,
    ResourceAttributes, ScopeName, ScopeVersion,
    map({{EVENT}}, {{EVENT_USAGE}}, {{SCHEMA}}, {{SCHEMA_VERSION}}) AS LogAttributes,
    concat({{EVENT_NAME_PREFIX}}, {{EVENT_USAGE}}) AS EventName
FROM (SELECT Timestamp, TraceId, SpanId, ServiceName, ResourceAttributes, ScopeName, ScopeVersion, LogAttributes AS given FROM otel_logs{{local}})
WHERE (input_tokens != '' OR output_tokens != '') AND given[{{EVENT}}] = ''
    AND operation_word NOT IN ({{bridge.no_calls}}){{each bridge_kinds:  AND NOT $name}};

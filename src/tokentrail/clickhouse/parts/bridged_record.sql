-- The end of WITH and the columns of a view that makes records of the ledger, of spans or of events of other instrumentations. The view's WITH begins
-- with given (the attributes), key, failed and duration. No expression can fail: attributes are texts and stay texts, these functions take any text.
    (text -> leftUTF8(text, 512)) AS short,
    {{each bridged: arrayFirst(text -> text NOT IN ($unstated), [$said]) AS $name,}}
    {{each bridge_kinds: given[$literal] NOT IN ('', $calls) AS $name,}}
    transform(lower(gen_ai_operation), {{bridge.operations}}, {{bridge.operation_names}}, lower(gen_ai_operation)) AS operation_word,
    transform(lower(provider), {{bridge.providers}}, {{bridge.provider_names}}, lower(provider)) AS provider_word,
    (input_tokens != '' OR output_tokens != '') AND operation_word NOT IN ({{bridge.no_calls}}){{each bridge_kinds:  AND NOT $name}} AS is_call
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
        'ended', if(failed OR error_type != '', {{Ended.ERROR}}, ''), 'error_type', short(error_type),
        'duration_ns', duration,
        {{each bridged_counts: '$name', short($name),}}
        'input_source', if(input_tokens = '', '', {{Source.REPORTED}}), 'output_source', if(output_tokens = '' AND operation_word != {{bridge.embeddings}}, '', {{Source.REPORTED}})
    ))) AS Body,
    ResourceAttributes, ScopeName, ScopeVersion,
    map({{EVENT}}, {{EVENT_USAGE}}, {{SCHEMA}}, {{SCHEMA_VERSION}}) AS LogAttributes,
    concat({{EVENT_NAME_PREFIX}}, {{EVENT_USAGE}}) AS EventName

"""Spans and events of other instrumentations as the Collector's exporter writes them: shapes by language, written by hand from their public documentation."""

from __future__ import annotations

from typing import Any, Final

from tests.support.ledger_rows import START_NS, Row, moment
from tokentrail import semconv

TRACE: Final = "ab" * 16


def span(
    number: int,
    attributes: dict[str, object],
    *,
    parent: int = 0,
    trace: str = TRACE,
    scope: str = "@traceloop/instrumentation-openai",
    kind: str = "Client",
    ts: int = START_NS,
    **columns: Any,
) -> Row:
    """A row of otel_traces: the span's id is made of a number, attributes become texts as the exporter writes them."""
    return {
        "Timestamp": moment(ts),
        "TraceId": trace,
        "SpanId": f"{number:016x}",
        "ParentSpanId": f"{parent:016x}" if parent else "",
        "SpanName": "chat",
        "SpanKind": kind,
        "ServiceName": "shop-js",
        "ResourceAttributes": {semconv.SERVICE_NAME: "shop-js", semconv.SERVICE_VERSION: "3", semconv.ENVIRONMENT: "test"},
        "ScopeName": scope,
        "ScopeVersion": "1",
        "SpanAttributes": {name: text(value) for name, value in attributes.items()},
        "Duration": 5_000_000,
        "StatusCode": "Unset",
    } | columns


def event(number: int, attributes: dict[str, object], *, trace: str = TRACE, ts: int = START_NS + 9, name: str = "") -> Row:
    """A row of otel_logs; the event's name is empty, as an exporter leaves it that has started without ClickHouse."""
    return {
        "Timestamp": moment(ts),
        "TraceId": trace,
        "SpanId": f"{number:016x}" if number else "",
        "ServiceName": "shop-js",
        "ResourceAttributes": {semconv.SERVICE_NAME: "shop-js"},
        "ScopeName": "opentelemetry.util.genai.handler",
        "LogAttributes": {key: text(value) for key, value in attributes.items()},
        "EventName": name,
    }


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def tokens(given: object = 10, answered: object = 4, **more: object) -> dict[str, object]:
    """The attributes of a call in today's names; `more` is written with `__` for a dot."""
    stated = {semconv.GEN_AI_OPERATION: "chat", semconv.PROVIDER: "openai", semconv.INPUT_TOKENS: given, semconv.OUTPUT_TOKENS: answered}
    return stated | {name.replace("__", "."): value for name, value in more.items()}


SHAPES: Final[dict[str, tuple[Row, dict[str, object]]]] = {
    # the conventions of 2026, as opentelemetry-js-contrib and the Java agent write them
    "today's names": (
        span(
            1,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                "gen_ai.response.id": "chatcmpl-1",
                "gen_ai.usage.input_tokens": 120,
                "gen_ai.usage.output_tokens": 30,
                "gen_ai.usage.cache_read.input_tokens": 100,
                "gen_ai.usage.reasoning.output_tokens": 20,
                "gen_ai.usage.audio.input_tokens": 7,
                "gen_ai.usage.image.input_tokens": 8,
                "gen_ai.usage.image.output_tokens": 9,
                "server.address": "api.openai.com",
                "server.port": 443,
                "gen_ai.request.stream": True,
            },
            scope="@opentelemetry/instrumentation-openai",
        ),
        {
            "provider": "openai",
            "request_model": "gpt-4o-mini",
            "response_model": "gpt-4o-mini-2024-07-18",
            "response_id": "chatcmpl-1",
            "gen_ai_operation": "chat",
            "input_tokens": 120,
            "output_tokens": 30,
            "cache_read_tokens": 100,
            "reasoning_tokens": 20,
            "audio_input_tokens": 7,
            "image_input_tokens": 8,
            "image_output_tokens": 9,
            "server_address": "api.openai.com",
            "server_port": 443,
            "stream": True,
            "source": "reported",
            "duration_ms": 5.0,
            "instrumentation": "@opentelemetry/instrumentation-openai",
        },
    ),
    # OpenLLMetry for JavaScript and Go
    "OpenLLMetry's older names": (
        span(
            1,
            {
                "gen_ai.system": "Anthropic",
                "llm.request.type": "completion",
                "gen_ai.request.model": "claude-3-5-haiku",
                "gen_ai.usage.prompt_tokens": 50,
                "gen_ai.usage.completion_tokens": 7,
                "llm.usage.total_tokens": 57,
                "gen_ai.usage.cache_creation_input_tokens": 40,
                "gen_ai.usage.cache_read_input_tokens": 0,
            },
        ),
        {
            "provider": "anthropic",
            "request_model": "claude-3-5-haiku",
            "gen_ai_operation": "text_completion",
            "input_tokens": 50,
            "output_tokens": 7,
            "cache_write_tokens": 40,
            "cache_read_tokens": 0,
            "reasoning_tokens": None,
        },
    ),
    "llm.usage, the oldest names": (
        span(
            1,
            {"llm.usage.prompt_tokens": 9, "llm.usage.completion_tokens": 2, "llm.request.model": "gpt-4", "llm.response.model": "gpt-4-0613"},
            scope="go",
        ),
        {"input_tokens": 9, "output_tokens": 2, "request_model": "gpt-4", "response_model": "gpt-4-0613", "provider": "", "instrumentation": "go"},
    ),
    # Spring AI and LangChain4j
    "Java": (
        span(
            1,
            {
                "gen_ai.system": "mistral_ai",
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "mistral-small-latest",
                "gen_ai.response.id": "b7",
                "gen_ai.usage.input_tokens": 14,
                "gen_ai.usage.output_tokens": 3,
                "gen_ai.usage.total_tokens": 17,
            },
            scope="org.springframework.boot",
        ),
        {"provider": "mistral_ai", "input_tokens": 14, "output_tokens": 3, "response_id": "b7"},
    ),
    # Microsoft.Extensions.AI, its first names and today's
    ".NET, first names": (
        span(
            1,
            {"gen_ai.system": "az.ai.openai", "gen_ai.response.input_tokens": 8, "gen_ai.response.output_tokens": 1},
            scope="Experimental.Microsoft.Extensions.AI",
        ),
        {"provider": "azure.ai.openai", "input_tokens": 8, "output_tokens": 1},
    ),
    "Vercel's AI SDK": (
        span(
            1,
            {
                "gen_ai.system": "google.generative-ai",
                "gen_ai.request.model": "gemini-2.0-flash",
                "gen_ai.usage.input_tokens": 21,
                "gen_ai.usage.output_tokens": 5,
                "ai.usage.promptTokens": 21,
            },
            scope="ai",
            kind="Internal",
        ),
        {"provider": "gcp.gemini", "input_tokens": 21, "output_tokens": 5},
    ),
    "OpenInference": (
        span(
            1,
            {
                "openinference.span.kind": "LLM",
                "llm.provider": "azure",
                "llm.system": "openai",
                "llm.model_name": "gpt-4o",
                "llm.token_count.prompt": 33,
                "llm.token_count.completion": 6,
                "llm.token_count.total": 39,
                "llm.token_count.prompt_details.cache_read": 32,
                "llm.token_count.completion_details.reasoning": 4,
            },
            kind="Internal",
        ),
        {
            "gen_ai_operation": "chat",
            "provider": "azure.ai.openai",
            "request_model": "gpt-4o",
            "input_tokens": 33,
            "output_tokens": 6,
            "cache_read_tokens": 32,
            "reasoning_tokens": 4,
        },
    ),
    "an embedding": (
        span(1, {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 6}),
        {"token_type": "embedding", "input_tokens": 6, "output_tokens": None, "source": "reported"},
    ),
    "an error that has a status alone": (
        span(1, tokens(5, 0), StatusCode="Error"),
        {"ended": "error", "error_type": "", "input_tokens": 5, "output_tokens": 0},
    ),
    "an error that was billed": (
        span(1, tokens(5, 0, error__type="timeout"), StatusCode="Error"),
        {"ended": "error", "error_type": "timeout", "input_tokens": 5, "output_tokens": 0},
    ),
    "half of it": (
        span(1, {"gen_ai.usage.input_tokens": 6}),
        {"input_tokens": 6, "output_tokens": None, "source": "unknown", "input_source": "reported"},
    ),
}
"""A span, and columns of its row in the ledger."""

NO_CALLS: Final[dict[str, Row]] = {
    "an agent": span(1, tokens(gen_ai__operation__name="invoke_agent")),
    "a chain": span(1, tokens(openinference__span__kind="CHAIN")),
    "a workflow": span(1, tokens(traceloop__span__kind="workflow")),
    ".NET's tools": span(1, tokens(gen_ai__operation__name="orchestrate_tools")),
    "an answer fetched again": span(1, tokens(gen_ai__operation__name="fetch_response")),
    "the model's own server": span(1, tokens(), kind="Server"),
    "a span of tokentrail": span(1, tokens(), scope=semconv.SCOPE),
    "a span without tokens": span(1, {"gen_ai.operation.name": "chat"}),
    "a span of a database": span(1, {"db.system": "postgresql"}),
}
"""Spans that no call is counted of."""

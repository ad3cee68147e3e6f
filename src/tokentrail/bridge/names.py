"""The attributes by which instrumentations of both name generations state a call, as one table that Python and SQL read.

Sources: OpenTelemetry's GenAI conventions (2025 and 2026), their older names (`gen_ai.system`, `prompt_tokens`), OpenLLMetry's `llm.usage.*`,
OpenInference's `llm.token_count.*`, the Vercel AI SDK's and .NET's first names. tokentrail emits none of these names, so they are not in `semconv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tokentrail import semconv

__all__ = ["CALLS", "COUNTS", "EMBEDDINGS", "FIELDS", "KIND_NAMES", "NO_CALLS", "OPERATIONS", "PROVIDERS", "SERVER_SIDE", "UNSTATED"]

COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": (
        semconv.INPUT_TOKENS,
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "gen_ai.response.input_tokens",
    ),
    "output_tokens": (
        semconv.OUTPUT_TOKENS,
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "gen_ai.response.output_tokens",
    ),
    "cache_read_tokens": (
        semconv.CACHE_READ_TOKENS,
        "gen_ai.usage.cache_read_input_tokens",
        "llm.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write_tokens": (
        semconv.CACHE_WRITE_TOKENS,
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning_tokens": (
        semconv.REASONING_TOKENS,
        "gen_ai.usage.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "audio_input_tokens": (semconv.AUDIO_INPUT_TOKENS, "llm.token_count.prompt_details.audio"),
    "audio_output_tokens": (semconv.AUDIO_OUTPUT_TOKENS, "llm.token_count.completion_details.audio"),
    "image_input_tokens": (semconv.IMAGE_INPUT_TOKENS,),
    "image_output_tokens": (semconv.IMAGE_OUTPUT_TOKENS,),
}
"""A count's attributes; the first one that is stated counts."""

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "gen_ai_operation": (semconv.GEN_AI_OPERATION, "llm.request.type", "openinference.span.kind"),
    "provider": (semconv.PROVIDER, "gen_ai.system", "llm.provider", "llm.system"),
    "request_model": (semconv.REQUEST_MODEL, "llm.request.model_name", "llm.request.model", "llm.model_name", "embedding.model_name"),
    "response_model": (semconv.RESPONSE_MODEL, "llm.response.model_name", "llm.response.model"),
    "response_id": (semconv.RESPONSE_ID, "llm.response.id"),
    "server_address": (semconv.SERVER_ADDRESS,),
    "server_port": (semconv.SERVER_PORT,),
    "error_type": (semconv.ERROR_TYPE,),
    "stream": (semconv.REQUEST_STREAM, "llm.is_streaming", "gen_ai.request.is_stream"),
    "tenant_id": (semconv.TENANT_ID,),
    "operation": (semconv.OPERATION,),
    "operation_id": (semconv.OPERATION_ID,),
}
"""Another field's attributes; the first one that is stated counts."""

UNSTATED: Final = ("", "None")
"""Texts that state nothing: openlit writes `None` as a word."""

KIND_NAMES: Final = ("openinference.span.kind", "traceloop.span.kind")
"""Attributes that state the kind of a span; a kind that is not in `CALLS` is no call."""
CALLS: Final = ("LLM", "EMBEDDING", "RERANKER")
NO_CALLS: Final = (
    "create_agent",
    "invoke_agent",
    "invoke_workflow",
    "plan",
    "execute_tool",
    "orchestrate_tools",
    "fetch_response",
    "retrieval",
)
"""GenAI operations that sum the calls below them, or repeat the counts of an earlier call."""
SERVER_SIDE: Final = ("Server", "Consumer")
"""Kinds of spans of whoever answers (vLLM states its counts there too): the caller's span tells of the call."""

OPERATIONS: Final[Mapping[str, str]] = {
    "completion": "text_completion",
    "embedding": "embeddings",
    "llm": "chat",
    "reranker": "rerank",
}
"""A GenAI operation, by an older name in lower case."""
EMBEDDINGS: Final = "embeddings"

PROVIDERS: Final[Mapping[str, str]] = {
    "amazon-bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "anthropic.messages": "anthropic",
    "aws": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure-openai.chat": "azure.ai.openai",
    "azure-openai.responses": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "cohere.chat": "cohere",
    "gcp.gen_ai": "gcp.gemini",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google.vertex.chat": "gcp.vertex_ai",
    "groq.chat": "groq",
    "mistral": "mistral_ai",
    "mistral.chat": "mistral_ai",
    "mistralai": "mistral_ai",
    "openai.chat": "openai",
    "openai.completion": "openai",
    "openai.embedding": "openai",
    "openai.responses": "openai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "xai": "x_ai",
    "xai.chat": "x_ai",
}
"""A provider's name in `tokentrail.providers`, by another name in lower case."""

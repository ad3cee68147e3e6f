"""litellm: completion, text completion, responses, embeddings, rerank and the Router; sync, async, streams; whatever litellm sends itself.

What litellm sends through the SDK of OpenAI, the integration of that SDK counts. On a path that is not known (hosts of a model of one's own), a
request with messages, a prompt or an input is counted if the answer states tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Integration, Reading
from tokentrail.integrations import anthropic, botocore, cohere, google_genai, mistralai, ollama, openai_endpoints
from tokentrail.integrations.shapes.cohere import read_vectors
from tokentrail.integrations.shapes.gemini import is_embedding
from tokentrail.integrations.shapes.json_objects import Body, fields_of
from tokentrail.integrations.shapes.openai_completions import read_any_embeddings
from tokentrail.integrations.transports.litellm import Api, Route, by_events, by_frames, by_lines, hooks_of
from tokentrail.integrations.transports.probes import probe_litellm

__all__ = ["INTEGRATION"]


def _always(endpoint: Endpoint) -> Callable[[str, Mapping[str, Any]], Endpoint]:
    return lambda _model, _body: endpoint


def _route(endpoint: Endpoint, provider: str, reader: Any = by_events) -> Route:
    return Route(_always(endpoint), provider, reader)


def _of_bedrock(operation: str) -> Route:
    return Route(botocore.OPERATIONS[operation].endpoint, "aws.bedrock", by_frames)


_OTHERS: Final = {
    "messages": replace(openai_endpoints.CHAT, deferred=True),
    "prompt": replace(openai_endpoints.COMPLETIONS, deferred=True),
    "input": replace(openai_endpoints.EMBEDDINGS, deferred=True),
}


def _other(_model: str, body: Mapping[str, Any]) -> Endpoint | None:
    return next((endpoint for name, endpoint in _OTHERS.items() if name in body), None)


def _read_ranking(body: Any) -> Reading:
    """Reads a ranking: Cohere's states billed units, those of Voyage and Jina a usage as of embeddings."""
    return read_any_embeddings(Body.of(body)) if "usage" in fields_of(body) else read_vectors(body)


RERANK: Final = replace(cohere.RERANK, read=_read_ranking)
RAW_PREDICT: Final = _route(replace(openai_endpoints.CHAT, instead=("anthropic_version", anthropic.MESSAGES)), "gcp.vertex_ai")
API: Final = Api(
    paths={
        "chat/completions": _route(openai_endpoints.CHAT, "openai"),
        "completions": _route(openai_endpoints.COMPLETIONS, "openai"),
        "embeddings": _route(openai_endpoints.EMBEDDINGS, "openai"),
        "responses": _route(openai_endpoints.RESPONSES, "openai"),
        "fim/completions": _route(mistralai.FIM, "mistral_ai"),
        "messages": _route(anthropic.MESSAGES, "anthropic"),
        "rawPredict": RAW_PREDICT,
        "streamRawPredict": RAW_PREDICT,
        "generateContent": _route(google_genai.GENERATE, "gcp.gemini"),
        "streamGenerateContent": _route(google_genai.GENERATE, "gcp.gemini"),
        "embedContent": _route(google_genai.EMBED, "gcp.gemini"),
        "batchEmbedContents": _route(google_genai.EMBED, "gcp.gemini"),
        "predict": _route(replace(google_genai.EMBED, spends=is_embedding), "gcp.vertex_ai"),
        "model/*/converse": _of_bedrock("Converse"),
        "model/*/converse-stream": _of_bedrock("ConverseStream"),
        "model/*/invoke": _of_bedrock("InvokeModel"),
        "model/*/invoke-with-response-stream": _of_bedrock("InvokeModelWithResponseStream"),
        "v1/chat": _route(cohere.CHAT, "cohere", by_lines),
        "v2/chat": _route(cohere.CHAT, "cohere", by_lines),
        "embed": _route(cohere.EMBED, "cohere"),
        "rerank": _route(RERANK, "cohere"),
        "api/chat": _route(ollama.CHAT, "ollama", by_lines),
        "api/generate": _route(ollama.GENERATE, "ollama", by_lines),
        "api/embed": _route(ollama.EMBED, "ollama"),
        "api/embeddings": _route(ollama.EMBEDDINGS, "ollama"),
    },
    own={
        ("aws.bedrock", "rerank"): replace(RERANK, deferred=True),  # states no tokens
        ("mistral_ai", "chat"): mistralai.CHAT,
        ("mistral_ai", "embeddings"): mistralai.EMBED,
    },
    other=Route(_other, "litellm", by_events),
    names={
        "azure": "azure.ai.openai",
        "azure_ai": "azure.ai.inference",
        "azure_text": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "bedrock_converse": "aws.bedrock",
        "codestral": "mistral_ai",
        "cohere_chat": "cohere",
        "custom_openai": "openai",
        "deepinfra": "deepinfra",
        "fireworks_ai": "fireworks",
        "gemini": "gcp.gemini",
        "hosted_vllm": "vllm",
        "litellm_proxy": "litellm",
        "mistral": "mistral_ai",
        "moonshot": "moonshot_ai",
        "nvidia_nim": "nvidia",
        "ollama_chat": "ollama",
        "openai_like": "openai",
        "text-completion-codestral": "mistral_ai",
        "text-completion-openai": "openai",
        "together_ai": "together",
        "vertex_ai": "gcp.vertex_ai",
        "vertex_ai_beta": "gcp.vertex_ai",
        "watsonx": "ibm.watsonx.ai",
        "xai": "x_ai",
    },
)

INTEGRATION: Final = Integration(
    name="litellm",
    package="litellm",
    supports=">=1.110,<2",
    hooks=hooks_of(API),
    clashes=("openinference-instrumentation-litellm", "openlit", "langfuse", "logfire"),
    probe=probe_litellm,
)

"""Exchanges of single providers made by hand, in OpenAI's shape: of endpoints, streams and refusals that the corpus has no example of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recording_filler import RING, float_filler, turned

__all__ = ["BASES", "of_providers"]

BASES = {
    "azure_ai": "https://example-resource.services.ai.azure.com",
    "cerebras": "https://api.cerebras.ai",
    "fireworks": "https://api.fireworks.ai",
    "openrouter": "https://openrouter.ai",
    "together": "https://api.together.ai",
    "writer": "https://api.writer.com",
}
_PATHS = {"azure_ai": "/models", "cerebras": "/v1", "fireworks": "/inference/v1", "openrouter": "/api/v1", "together": "/v1", "writer": "/v1"}
_PAGES = {
    "azure_ai": "Azure AI Model Inference REST API",
    "cerebras": "Cerebras API reference",
    "fireworks": "Fireworks API reference",
    "openrouter": "OpenRouter API reference",
    "together": "Together API reference",
    "writer": "Writer API reference",
}
_MODELS = {
    "azure_ai": "Phi-4",
    "cerebras": "llama3.1-8b",
    "fireworks": "accounts/fireworks/models/llama-v3p1-8b-instruct",
    "openrouter": "openai/gpt-4o-mini",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "writer": "palmyra-x5",
}
_ASK = [{"role": "user", "content": turned(RING, 40)}]
_VECTOR = [float_filler(position) for position in range(8)]


def of_providers(exchange: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the exchanges; `exchange` makes one, in the corpus's form."""

    def made(name: str, provider: str, endpoint: str, path: str, request: dict[str, Any], body: Any, **more: Any) -> dict[str, Any]:
        given = {"model": _MODELS[provider]} | request
        told = {"documented_at": f"{_PAGES[provider]}: POST {path}"} | more
        return exchange(name, (provider, endpoint, _PATHS[provider] + path), given, body, **told)

    return [*_chats(made), *_completions(made), *_vectors(made), *_refusals(made)]


def _head(provider: str, kind: str) -> dict[str, Any]:
    return {"id": f"{provider}-byhand0001", "object": kind, "created": 1768471200, "model": _MODELS[provider], "system_fingerprint": "fp_byhand"}


def _usage(read: int, written: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written} | more


def _chunks(provider: str, usage: dict[str, Any] | None, *, alone: bool = False) -> list[Any]:
    """A stream of three texts. The usage stands in the last chunk beside the finish reason, or alone in one after that; None: the stream is cut."""
    head = _head(provider, "chat.completion.chunk")
    pieces = [head | {"choices": [{"index": 0, "delta": {"content": turned(RING, 6, at * 6)}, "finish_reason": None}]} for at in range(3)]
    first = head | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    if usage is None:
        return [first, *pieces]
    last = head | {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
    end = [last, head | {"choices": [], "usage": usage}] if alone else [last | {"usage": usage}]
    return [first, *pieces, *end, "data: [DONE]\n\n"]


def _chats(made: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Streams that state their usage unasked; a stream that is cut; a whole answer of Fireworks, in each of its two shapes."""
    path = "/chat/completions"
    message = {"role": "assistant", "content": turned(RING, 60)}
    usage = _usage(31, 12, prompt_tokens_details={"cached_tokens": 16})
    whole = _head("fireworks", "chat.completion") | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    cerebras = _usage(25, 9, prompt_tokens_details={"cached_tokens": 0}, completion_tokens_details={"reasoning_tokens": 4})
    plain = made("plain", "fireworks", "chat", path, {"messages": _ASK}, whole, counts=(31, 12), usage=usage)
    streams = [
        made("stream", "fireworks", "chat", path, {"messages": _ASK, "stream": True}, _chunks("fireworks", usage), counts=(31, 12), usage=usage),
        made("stream", "cerebras", "chat", path, {"messages": _ASK, "stream": True}, _chunks("cerebras", cerebras), counts=(25, 9), usage=cerebras),
    ]
    for exchange in (plain, streams[0]):
        exchange["expected"]["cached_input_tokens"] = 16
    streams[1]["expected"] |= {"cached_input_tokens": 0, "reasoning_tokens": 4}
    cut = {"ended": False, "incomplete": True}
    return [
        plain,
        *streams,
        *(made("cut", name, "chat", path, {"messages": _ASK, "stream": True}, _chunks(name, None), **cut) for name in ("azure_ai", "openrouter")),
        _message(made),
    ]


def _message(made: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    usage = {"input_tokens": 14, "output_tokens": 6, "cache_read_input_tokens": 32}
    content = [{"type": "text", "text": turned(RING, 30)}]
    told = {"id": "msg_byhand0001", "type": "message", "role": "assistant", "model": _MODELS["fireworks"], "content": content}
    answer = told | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    message = made("plain", "fireworks", "messages", "/messages", {"messages": _ASK, "max_tokens": 64}, answer, counts=(46, 6), usage=usage)
    message["expected"] |= {"input_tokens": 14, "cached_input_tokens": 32}
    return message


def _completions(made: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for provider in ("cerebras", "fireworks", "writer"):
        usage = None if provider == "writer" else _usage(7, 5)
        body: dict[str, Any] = _head(provider, "text_completion") | {"choices": [{"index": 0, "text": turned(RING, 30), "finish_reason": "length"}]}
        body = {"model": _MODELS[provider], "choices": [{"text": turned(RING, 30)}]} if usage is None else body | {"usage": usage}
        counts = {} if usage is None else {"counts": (7, 5), "usage": usage}
        request = {"prompt": turned(RING, 24), "max_tokens": 5}
        found.append(made("plain", provider, "completions", "/completions", request, body, **counts))
    return found


def _vectors(made: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Embeddings of Together, which state no usage, and of images; reranks, of which Together states the prompt."""
    texts = [turned(RING, 30), turned(RING, 20)]
    data = [{"object": "embedding", "embedding": _VECTOR, "index": place} for place in range(2)]
    model = {"model": "BAAI/bge-base-en-v1.5"}
    silent = {"object": "list", "data": data} | model
    usage = {"prompt_tokens": 1026, "completion_tokens": 0, "total_tokens": 1026}
    images = {"id": "azure-byhand0002", "object": "list", "data": data, "model": "Cohere-embed-v3-english", "usage": usage}
    url = "data:image/png;base64,bG9yZW0gaXBzdW0g"
    ranked = {"index": 1, "relevance_score": 0.75, "document": {"text": texts[1]}}
    ranks = {"object": "rerank", "id": "together-byhand0003", "results": [ranked], "usage": _usage(1837, 0)} | {"model": "Salesforce/Llama-Rank-V1"}
    ask = {"query": texts[0], "documents": texts}
    of_images = {"input": [{"image": url}], "model": "Cohere-embed-v3-english"}
    of_ranks = {"model": "Salesforce/Llama-Rank-V1"} | ask
    units = {"id": "openrouter-byhand0004", "model": "cohere/rerank-v3.5", "provider": "Cohere", "results": [ranked], "usage": {"search_units": 1}}
    read = {"prompt_tokens": 7, "total_tokens": 7, "cost": 1.4e-07}
    stated = {"id": "openrouter-byhand0005", "object": "list", "data": data[:1], "model": "text-embedding-3-small", "usage": read}
    asked = {"model": "openai/text-embedding-3-small", "input": texts[0]}
    return [
        made("plain", "openrouter", "embeddings", "/embeddings", asked, stated, model="text-embedding-3-small", counts=(7, None), usage=read),
        made("plain", "together", "embeddings", "/embeddings", model | {"input": texts}, silent),
        made("images", "azure_ai", "embeddings", "/images/embeddings", of_images, images, counts=(1026, 0), usage=usage),
        made("plain", "together", "rerank", "/rerank", of_ranks, ranks, counts=(1837, 0), usage=_usage(1837, 0)),
        made("search-units", "openrouter", "rerank", "/rerank", {"model": "cohere/rerank-v3.5"} | ask, units),
    ]


def _refusals(made: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """Refused requests, of each of these providers that the corpus has none of."""
    told = {"message": turned(RING, 60)}
    bodies = {
        "azure_ai": {"error": {"code": "Unauthorized"} | told},
        "cerebras": told | {"type": "too_many_requests_error", "param": "quota", "code": "request_quota_exceeded"},
        "fireworks": {"error": {"type": "invalid_request_error", "code": "NOT_FOUND"} | told},
        "writer": {"tpe": "fail", "errors": [{"key": "fail.invalid.authentication", "description": turned(RING, 40)}], "extras": None},
    }
    statuses = {"azure_ai": 401, "cerebras": 429, "fireworks": 404, "writer": 401}
    path = {"writer": "/chat"}
    return [
        made(f"{statuses[name]}-refused", name, "chat", path.get(name, "/chat/completions"), {"messages": _ASK}, body, status=statuses[name])
        for name, body in bodies.items()
    ]

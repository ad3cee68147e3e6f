"""Exchanges that the corpus has no example of, written after the providers' documentation. Each carries `made_by_hand` and its `documented_at`.

Sources: OpenAI's guide "Error codes" and API reference; Groq "API error codes and responses" and "Rate limits"; Anthropic "Streaming messages";
Ollama's docs/api.md (embed, generate, chat, streamed errors) and docs/openai.md; Cohere's API reference. Texts are filler from the start.
"""

from __future__ import annotations

import json
from typing import Any

from recording_filler import RING, float_filler, turned
from recording_selection import FAILED
from recordings_of_cohere import of_cohere
from recordings_of_media import of_media
from recordings_of_packages import PACKAGE_BASES, of_packages
from recordings_of_providers import BASES, of_providers

_BASE = {
    "anthropic": "https://api.anthropic.com",
    "cohere": "https://api.cohere.com",
    "openai": "https://api.openai.com",
    "groq": "https://api.groq.com",
    "mistral": "https://api.mistral.ai",
    "ollama": "http://localhost:11434",
    **BASES,
    **PACKAGE_BASES,
}
_CHAT = {"openai": "/v1/chat/completions", "groq": "/openai/v1/chat/completions"}
_MODEL = {"openai": "gpt-4o-mini", "groq": "llama-3.3-70b-versatile", "ollama": "llama3.2"}
_ASK = [{"role": "user", "content": turned(RING, 40)}]
_TIME = "2026-01-15T10:00:00.000000Z"


def _exchange(name: str, place: tuple[str, str, str], request: Any, body: Any, **more: Any) -> dict[str, Any]:
    """One exchange in the corpus's form. `body` is an object, or a list of chunks. `counts` = (input, output), each an int or None.

    Without a `request`, a GET; its answer's model is then `model`.
    """
    provider, endpoint, path = place
    counts: tuple[int | None, int | None] = more.pop("counts", (None, None))
    usage, status = more.pop("usage", None), more.pop("status", 200)
    streamed = isinstance(body, list)
    shape = "json" if not streamed else more.pop("shape", "ndjson" if provider == "ollama" else "sse")
    asked_model = request.get("model") if request else None
    model = more.pop("model", asked_model)
    total = sum(count for count in counts if count is not None)
    return {
        "id": f"{provider}-{endpoint}-by-hand-{name}",
        "made_by_hand": True,
        "documented_at": more.pop("documented_at"),
        "provider": provider,
        "endpoint": endpoint,
        "base_url": _BASE[provider],
        "method": "POST" if request else "GET",
        "path": path,
        "request_model": asked_model,
        "request": request,
        "stream": streamed,
        "status": status,
        "response_headers": {"content-type": {"json": "application/json", "ndjson": "application/x-ndjson", "sse": "text/event-stream"}[shape]}
        | more.pop("headers", {}),
        "response_encoding": "text",
        "response_body": _body(body, shape),
        "response_shape": shape,
        "expected": {
            "input_tokens": counts[0],
            "output_tokens": counts[1],
            "cached_input_tokens": None,
            "cache_write_tokens": None,
            "reasoning_tokens": None,
            "model": model if status < FAILED else None,
        },
        "expected_totals": {"input_total": counts[0], "output_total": counts[1], "provider_total": total or None, "check": "ok", "rule": "in+out"}
        if counts != (None, None)
        else None,
        "usage_raw": usage,
        "usage_events": 0 if counts == (None, None) else 1,
        "flags": {"error": status >= FAILED or more.pop("failed", False), "has_usage": counts != (None, None), "ended": more.pop("ended", True)}
        | {name: True for name in ("reasoning", "refusal", "incomplete", "tool_call") if more.pop(name, False)},
        "hardness": 1,
    }


def _body(body: Any, shape: str) -> str:
    if shape == "json":
        return json.dumps(body)
    if shape == "ndjson":
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in body)
    return "".join(item if isinstance(item, str) else f"data: {json.dumps(item, separators=(',', ':'))}\n\n" for item in body)


def _failures() -> list[dict[str, Any]]:
    """Refused requests: limits and faults of the service. `Retry-After` is short, so that a test may let an SDK retry for real."""
    kinds = [
        ("429-rate-limit", "openai", 429, "tokens", "rate_limit_exceeded", {"retry-after": "1", "retry-after-ms": "20"}),
        ("429-quota", "openai", 429, "insufficient_quota", "insufficient_quota", {"x-should-retry": "false"}),
        ("500-server-error", "openai", 500, "server_error", None, {"retry-after-ms": "20"}),
        ("503-overloaded", "openai", 503, "service_unavailable_error", "slow_down", {"retry-after-ms": "20"}),
        ("429-rate-limit", "groq", 429, "tokens", "rate_limit_exceeded", {"retry-after": "1"}),
        ("498-capacity", "groq", 498, "capacity_exceeded", "flex_tier_capacity_exceeded", {}),
        ("503-overloaded", "groq", 503, "internal_server_error", None, {"retry-after": "1"}),
    ]
    pages = {"openai": "OpenAI guide: Error codes", "groq": "Groq docs: API error codes and responses"}
    failures = []
    for name, provider, status, kind, code, headers in kinds:
        error = {"error": {"message": turned(RING, 120), "type": kind, "param": None, "code": code}}
        request = {"model": _MODEL[provider], "messages": _ASK}
        where = {"documented_at": pages[provider], "headers": headers, "status": status}
        failures.append(_exchange(name, (provider, "chat", _CHAT[provider]), request, error, **where))
    return failures


def _chunk(provider: str, delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-byhand0001",
        "object": "chat.completion.chunk",
        "created": 1768471200,
        "model": _MODEL[provider],
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
    } | more


def _streams_that_fail() -> list[dict[str, Any]]:
    """A 200 stream in which the provider reports an error after some text."""
    start = [{"role": "assistant", "content": ""}, {"content": turned(RING, 6)}, {"content": turned(RING, 6, 6)}]
    streams = []
    for provider in ("openai", "groq"):
        error = {"error": {"message": turned(RING, 80), "type": "server_error", "param": None, "code": None}}
        event = "event: error\n" + f"data: {json.dumps(error)}\n\n" if provider == "groq" else error
        body = [*(_chunk(provider, delta) for delta in start), event]
        request = {"model": _MODEL[provider], "messages": _ASK, "stream": True}
        where = {"documented_at": f"{provider} Python SDK, _streaming.py: an event with `error`", "ended": False, "failed": True}
        streams.append(_exchange("error-in-stream", (provider, "chat", _CHAT[provider]), request, body, **where))
    request = {"model": _MODEL["ollama"], "messages": _ASK, "stream": True}
    where = {"documented_at": "Ollama docs: Errors, errors that occur while streaming", "ended": False, "failed": True}
    body = [_ollama_line(message={"role": "assistant", "content": turned(RING, 6)}), {"error": turned(RING, 60)}]
    streams.append(_exchange("error-in-stream", ("ollama", "ollama_chat", "/api/chat"), request, body, **where))
    return streams


def _cut_short() -> list[dict[str, Any]]:
    """A refusal (structured outputs) and an answer that ran into its limit: both are billed."""
    message = {"role": "assistant", "content": None, "refusal": turned(RING, 44), "annotations": []}
    usage = {"prompt_tokens": 79, "completion_tokens": 11, "total_tokens": 90}
    refusal = _chunk("openai", {}) | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
    }
    schema = {"type": "json_schema", "json_schema": {"name": "lorem", "strict": True, "schema": {"type": "object", "properties": {}}}}
    request = {"model": _MODEL["openai"], "messages": _ASK, "response_format": schema}
    page = {"documented_at": "OpenAI guide: Structured outputs, refusals", "refusal": True}
    refused = _exchange("refusal", ("openai", "chat", _CHAT["openai"]), request, refusal, counts=(79, 11), usage=usage, **page)
    usage = _usage_of_response(19, 64, reasoning=64)
    response = {
        "id": "resp_byhand0001",
        "object": "response",
        "created_at": 1768471200,
        "status": "incomplete",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"},
        "model": "gpt-5-mini",
        "output": [{"id": "rs_byhand0001", "type": "reasoning", "summary": []}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
        "usage": usage,
    }
    request = {"model": "gpt-5-mini", "input": turned(RING, 80), "max_output_tokens": 64}
    page = {"documented_at": "OpenAI guide: Reasoning models, handling incomplete responses", "incomplete": True, "reasoning": True}
    incomplete = _exchange("incomplete", ("openai", "responses", "/v1/responses"), request, response, counts=(19, 64), usage=usage, **page)
    incomplete["expected"] |= {"cached_input_tokens": 0, "reasoning_tokens": 64}
    return [refused, incomplete]


def _usage_of_response(read: int, written: int, *, reasoning: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
    }


def _left_unfinished() -> list[dict[str, Any]]:
    """Streams without a last word, as a connection that breaks leaves them; a job that was cancelled, a response that failed."""
    request = {"model": "gpt-4o", "messages": _ASK, "stream": True, "stream_options": {"include_usage": True}}
    page = {"documented_at": "OpenAI API reference: streamed chat completions end with [DONE]", "ended": False, "incomplete": True}
    pieces = [_chunk("openai", {"content": turned(RING, 6, at * 6)}, model="gpt-4o-2024-08-06", usage=None) for at in range(3)]
    chat = _exchange("cut", ("openai", "chat", _CHAT["openai"]), request, pieces, model="gpt-4o-2024-08-06", **page)
    request = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": _ASK, "stream": True}
    page = {"documented_at": "Anthropic docs: Streaming messages", "ended": False, "incomplete": True}
    usage = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1024, "output_tokens": 1}
    message = {
        "id": "msg_byhand0001",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": turned(RING, 6, at * 6)}} for at in range(2)),
    ]
    told = [f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events]
    counts = {"counts": (1036, 1), "usage": usage, "model": message["model"]}
    messages = _exchange("cut", ("anthropic", "messages", "/v1/messages"), request, told, **counts, **page)
    messages["expected"] |= {"input_tokens": 12, "cached_input_tokens": 1024, "cache_write_tokens": 0}
    return [chat, messages, *_jobs_that_end_badly()]


def _jobs_that_end_badly() -> list[dict[str, Any]]:
    common = {"object": "response", "created_at": 1768471200, "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    job = common | {"id": "resp_byhand0002", "model": "gpt-5-mini", "background": True, "status": "cancelled", "error": None, "usage": None}
    page = {"documented_at": "OpenAI guide: Background mode, cancelling", "model": "gpt-5-mini", "incomplete": True}
    cancelled = _exchange("cancelled", ("openai", "responses_get", "/v1/responses/resp_byhand0002"), None, job, **page)
    error = {"code": "server_error", "message": turned(RING, 60)}
    usage = _usage_of_response(21, 9)
    response = common | {"id": "resp_byhand0003", "model": "gpt-4.1-mini", "background": False, "status": "failed", "error": error, "usage": usage}
    request = {"model": "gpt-4.1-mini", "input": turned(RING, 80)}
    page = {"documented_at": "OpenAI API reference: the response object, status and error", "incomplete": True}
    failed = _exchange("failed", ("openai", "responses", "/v1/responses"), request, response, counts=(21, 9), usage=usage, **page)
    failed["expected"] |= {"cached_input_tokens": 0, "reasoning_tokens": 0}
    return [cancelled, failed]


def _ollama_line(*, done: bool = False, model: str = _MODEL["ollama"], **more: Any) -> dict[str, Any]:
    return {"model": model, "created_at": _TIME} | more | {"done": done}


def _ollama_end(counts: tuple[int, int], **more: int) -> dict[str, Any]:
    return {
        "done_reason": "stop",
        "total_duration": 4883583458,
        "load_duration": 1334875,
        "prompt_eval_count": counts[0],
        "prompt_eval_duration": 342546000,
        "eval_count": counts[1],
        "eval_duration": 4535599000,
        **more,
    }


def _ollama_chats() -> list[dict[str, Any]]:
    page, model = {"documented_at": "Ollama docs/api.md"}, _MODEL["ollama"]
    tool_call = {"function": {"name": "loremipsum", "arguments": {"dolor": "sit amet"}}}
    tool = {"type": "function", "function": {"name": "loremipsum", "parameters": {"type": "object", "properties": {"dolor": {"type": "string"}}}}}
    called = [
        _ollama_line(message={"role": "assistant", "content": "", "tool_calls": [tool_call]}),
        _ollama_line(message={"role": "assistant", "content": ""}, done=True) | _ollama_end((169, 15)),
    ]
    thought = [
        *(_ollama_line(message={"role": "assistant", "content": "", "thinking": turned(RING, 6, at * 6)}) for at in range(4)),
        *(_ollama_line(message={"role": "assistant", "content": turned(RING, 6, at * 6)}) for at in range(3)),
        _ollama_line(message={"role": "assistant", "content": ""}, done=True) | _ollama_end((22, 9), prompt_eval_cached_count=16),
    ]
    generated = _ollama_line(response=turned(RING, 200), done=True) | {"context": [1, 2, 3]} | _ollama_end((26, 48))
    called_by = {"model": model, "messages": _ASK, "stream": True}
    loaded = _ollama_line(message={"role": "assistant", "content": ""}, done_reason="load", done=True)
    missing = {"error": "model 'loremipsum' not found"}
    ask = {"model": "loremipsum", "messages": _ASK, "stream": False}
    return [
        _exchange(
            "tool-call", ("ollama", "ollama_chat", "/api/chat"), called_by | {"tools": [tool]}, called, counts=(169, 15), tool_call=True, **page
        ),
        _exchange("thinking", ("ollama", "ollama_chat", "/api/chat"), called_by | {"think": True}, thought, counts=(22, 9), **page),
        _exchange("load", ("ollama", "ollama_chat", "/api/chat"), {"model": model, "messages": [], "stream": False}, loaded, **page),
        _exchange("404-no-such-model", ("ollama", "ollama_chat", "/api/chat"), ask, missing, status=404, **page),
        _exchange(
            "plain",
            ("ollama", "ollama_generate", "/api/generate"),
            {"model": model, "prompt": turned(RING, 60), "stream": False},
            generated,
            counts=(26, 48),
            **page,
        ),
    ]


def _ollama_vectors() -> list[dict[str, Any]]:
    vectors = [[float_filler(position + 7 * row) for position in range(384)] for row in range(3)]
    durations = {"total_duration": 14143917, "load_duration": 1019500}
    exchanges = []
    for name, texts, count in (("one", turned(RING, 30), 8), ("three", [turned(RING, 30), turned(RING, 20), turned(RING, 10)], 15)):
        rows = vectors[: 1 if isinstance(texts, str) else len(texts)]
        body = {"model": "all-minilm", "embeddings": rows} | durations | {"prompt_eval_count": count}
        request = {"model": "all-minilm", "input": texts}
        page = {"documented_at": "Ollama docs/api.md: Generate Embeddings"}
        exchanges.append(_exchange(f"{name}-text", ("ollama", "ollama_embed", "/api/embed"), request, body, counts=(count, None), **page))
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    data = [{"object": "embedding", "embedding": vectors[0], "index": 0}]
    body = {"object": "list", "data": data, "model": "all-minilm", "usage": usage}
    request = {"model": "all-minilm", "input": turned(RING, 30)}
    page = {"documented_at": "Ollama docs/openai.md"}
    exchanges.append(_exchange("openai-shape", ("ollama", "embeddings", "/v1/embeddings"), request, body, counts=(8, None), usage=usage, **page))
    return exchanges


def made_by_hand() -> list[dict[str, Any]]:
    """All of them, with ids of the form `provider-endpoint-by-hand-what`."""
    own = [*_failures(), *_streams_that_fail(), *_cut_short(), *_left_unfinished(), *_ollama_chats(), *_ollama_vectors()]
    return [*own, *of_cohere(_exchange), *of_media(_exchange), *of_providers(_exchange), *of_packages(_exchange)]

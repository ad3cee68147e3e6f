"""Exchanges with shapes of their own, made by hand: Hugging Face, Replicate, Voyage, xAI over gRPC, Claude's command line, Gemini's Live sessions.

Sources: Text Generation Inference, "Messages API" and its OpenAPI page; Hugging Face Inference Providers; Replicate's HTTP API and "Prediction
metrics"; Voyage's API reference; xAI's gRPC API reference (the messages as JSON of protobuf); Claude Agent SDK, "Track cost and usage"; Live API,
WebSockets API reference, and its best practices, "Pricing & billing".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from recording_filler import RING, float_filler, turned

__all__ = ["PACKAGE_BASES", "of_packages"]

PACKAGE_BASES = {
    "claude_agent": "http://localhost",
    "google_genai": "https://generativelanguage.googleapis.com",
    "huggingface": "https://router.huggingface.co",
    "replicate": "https://api.replicate.com",
    "vertex": "https://us-central1-aiplatform.googleapis.com",
    "voyage": "https://api.voyageai.com",
    "xai_grpc": "https://api.x.ai",
}
_ASK = [{"role": "user", "content": turned(RING, 40)}]
_VECTOR = [float_filler(position) for position in range(8)]
_TIME = "2026-01-15T10:00:00.000000Z"
Make = Callable[..., dict[str, Any]]


def of_packages(exchange: Make) -> list[dict[str, Any]]:
    """Returns the exchanges; `exchange` makes one, in the corpus's form."""
    return [
        *_of_hugging_face(exchange),
        *_of_replicate(exchange),
        *_of_voyage(exchange),
        *_of_xai(exchange),
        *_of_claude(exchange),
        *_of_live(exchange),
    ]


def _with(exchange: dict[str, Any], **expected: Any) -> dict[str, Any]:
    exchange["expected"] |= expected
    return exchange


def _of_hugging_face(exchange: Make) -> list[dict[str, Any]]:
    """A chat, whole and streamed; text generation of TGI, whole, in a list, streamed, cut and failing; vectors with nothing around them."""
    chats, chat, model = (
        "/v1/chat/completions",
        {"documented_at": "Hugging Face: Inference Providers, Chat Completion"},
        "meta-llama/Llama-3.1-8B-Instruct",
    )
    usage = {"prompt_tokens": 23, "completion_tokens": 9, "total_tokens": 32}
    head = {"id": "hf-byhand0001", "object": "chat.completion", "created": 1768471200, "model": model, "system_fingerprint": "3.0.1-sha-byhand"}
    message = {"role": "assistant", "content": turned(RING, 40)}
    plain = head | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    chunk = head | {"object": "chat.completion.chunk"}
    pieces = [chunk | {"choices": [{"index": 0, "delta": {"content": turned(RING, 6, at * 6)}, "finish_reason": None}]} for at in range(3)]
    last = chunk | {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
    streamed = [*pieces, last, chunk | {"choices": [], "usage": usage}, "data: [DONE]\n\n"]
    ask = {"model": model, "messages": _ASK, "stream": False}
    tgi = {"documented_at": "Text Generation Inference: POST /generate, /generate_stream", "model": None}
    task, prompt = "/models/lorem", {"inputs": turned(RING, 40), "parameters": {"details": True}, "stream": False}
    details = {
        "finish_reason": "length",
        "generated_tokens": 7,
        "seed": None,
        "prefill": [{"id": 1, "text": "l"}, {"id": 2, "text": "o"}],
        "tokens": [],
    }
    told = {"generated_text": turned(RING, 30), "details": details}
    tokens = [
        {
            "index": at,
            "token": {"id": at, "text": turned(RING, 6, at * 6), "logprob": -0.5, "special": False},
            "generated_text": None,
            "details": None,
        }
        for at in range(3)
    ]
    end = tokens[2] | {
        "generated_text": turned(RING, 18),
        "details": {"finish_reason": "length", "generated_tokens": 3, "seed": None, "input_length": 5},
    }
    events = [f"data:{json.dumps(event, separators=(',', ':'))}\n\n" for event in (*tokens[:2], end)]
    refused = {"error": turned(RING, 60), "error_type": "generation"}
    again = prompt | {"stream": True}
    vectors = {"documented_at": "Hugging Face: Inference Providers, Feature Extraction", "model": None}
    return [
        exchange("plain", ("huggingface", "chat", chats), ask, plain, counts=(23, 9), usage=usage, **chat),
        exchange("stream", ("huggingface", "chat", chats), ask | {"stream": True}, streamed, counts=(23, 9), usage=usage, **chat),
        exchange("cut", ("huggingface", "chat", chats), ask | {"stream": True}, pieces, ended=False, incomplete=True, **chat),
        exchange("plain", ("huggingface", "generate", task), prompt, told, counts=(2, 7), usage=details, **tgi),
        exchange("list", ("huggingface", "generate", task), prompt, _Whole([told]), counts=(2, 7), usage=details, **tgi),
        exchange("stream", ("huggingface", "generate", task), again, events, counts=(5, 3), usage=end["details"], **tgi),
        exchange("cut", ("huggingface", "generate", task), again, events[:2], ended=False, incomplete=True, **tgi),
        exchange("error-in-stream", ("huggingface", "generate", task), again, [*events[:1], refused], failed=True, **tgi),
        exchange("503-loading", ("huggingface", "generate", task), prompt, {"error": turned(RING, 40), "estimated_time": 20.0}, status=503, **tgi),
        exchange("plain", ("huggingface", "embeddings", f"{task}/pipeline/feature-extraction"), {"inputs": "lorem"}, _Whole([_VECTOR]), **vectors),
    ]


class _Whole(tuple[Any, ...]):
    """A body that is a JSON array, and no stream."""

    __slots__ = ()


def _of_replicate(exchange: Make) -> list[dict[str, Any]]:
    """A prediction when it is made, at its end, failed, cancelled, and of a model that counts no tokens."""
    path, made = "/v1/models/meta/meta-llama-3-8b-instruct/predictions", {"documented_at": "Replicate HTTP API: predictions.create, predictions.get"}
    model = "meta/meta-llama-3-8b-instruct"
    head = {
        "id": "byhand0001",
        "model": model,
        "version": "hidden",
        "input": {"prompt": turned(RING, 40)},
        "logs": "",
        "created_at": _TIME,
        "error": None,
    }
    metrics = {"input_token_count": 21, "output_token_count": 8, "tokens_per_second": 61.5, "predict_time": 0.4, "time_to_first_token": 0.1}
    done = head | {"status": "succeeded", "output": [turned(RING, 6), turned(RING, 6, 6)], "metrics": metrics}
    ask, get = {"input": head["input"]}, "/v1/predictions/byhand0001"
    counted = {"counts": (21, 8), "usage": metrics, "model": model} | made
    return [
        exchange("starting", ("replicate", "predictions", path), ask, head | {"status": "starting", "output": None}, status=201, model=model, **made),
        exchange("succeeded", ("replicate", "predictions", path), ask, done, status=201, **counted),
        exchange("polled", ("replicate", "predictions", get), None, done, **counted),
        exchange("failed", ("replicate", "predictions", get), None, done | {"status": "failed", "error": turned(RING, 20)}, failed=True, **counted),
        exchange("canceled", ("replicate", "predictions", f"{get}/cancel"), None, done | {"status": "canceled"}, **counted),
        exchange("picture", ("replicate", "predictions", get), None, done | {"metrics": {"predict_time": 3.1}}, model=model, **made),
    ]


def _of_voyage(exchange: Make) -> list[dict[str, Any]]:
    """Embeddings of texts, of chunks in their context, and of images; a ranking; a refusal."""
    page = {"documented_at": "Voyage AI API reference"}
    data = [{"object": "embedding", "embedding": _VECTOR, "index": 0}]
    groups = [{"object": "list", "data": data, "index": 0}]
    content = [{"type": "text", "text": turned(RING, 20)}, {"type": "image_base64", "image_base64": "data:image/png;base64,bG9yZW0gaXBzdW0g"}]
    pixels = {"text_tokens": 5, "image_pixels": 2000000, "total_tokens": 3576}
    ranks = [{"relevance_score": 0.75, "index": 1}, {"relevance_score": 0.5, "index": 0}]
    texts = [turned(RING, 30), turned(RING, 20)]

    def made(name: str, endpoint: str, path: str, request: dict[str, Any], answer: list[Any], usage: dict[str, int]) -> dict[str, Any]:
        body = {"object": "list", "data": answer, "model": request["model"], "usage": usage}
        return exchange(name, ("voyage", endpoint, path), request, body, counts=(usage["total_tokens"], None), usage=usage, **page)

    return [
        made("plain", "embeddings", "/v1/embeddings", {"model": "voyage-3.5", "input": texts[:1]}, data, {"total_tokens": 9}),
        made("context", "embeddings", "/v1/contextualizedembeddings", {"model": "voyage-context-3", "inputs": [texts]}, groups, {"total_tokens": 17}),
        made("images", "embeddings", "/v1/multimodalembeddings", {"model": "voyage-multimodal-3", "inputs": [{"content": content}]}, data, pixels),
        made("plain", "rerank", "/v1/rerank", {"model": "rerank-2.5", "query": texts[0], "documents": texts}, ranks, {"total_tokens": 26}),
        exchange(
            "401-refused",
            ("voyage", "embeddings", "/v1/embeddings"),
            {"model": "voyage-3.5", "input": texts},
            {"detail": turned(RING, 60)},
            status=401,
            **page,
        ),
    ]


def _of_xai(exchange: Make) -> list[dict[str, Any]]:
    """Messages of gRPC as JSON of protobuf, in both forms of the names: a completion, a stream, a stream that is cut, a compaction."""
    page = {"documented_at": "xAI gRPC API reference: xai_api.Chat", "model": "grok-4-byhand"}
    path = "/xai_api.Chat"
    usage = {"prompt_tokens": 32, "completion_tokens": 9, "reasoning_tokens": 94, "total_tokens": 135, "cached_prompt_text_tokens": 6}
    message = {"content": turned(RING, 30), "role": "ROLE_ASSISTANT", "reasoning_content": turned(RING, 12)}
    head = {"id": "byhand0001", "model": "grok-4-byhand", "created": _TIME}
    plain = head | {"outputs": [{"finish_reason": "REASON_STOP", "message": message}], "usage": usage}
    camel = {"promptTokens": 12, "completionTokens": 6, "totalTokens": 18, "promptImageTokens": 4}
    chunks: list[dict[str, Any]] = [head | {"outputs": [{"delta": {"content": turned(RING, 6, at * 6)}}]} for at in range(3)]
    end = head | {"outputs": [{"delta": {"content": ""}, "finishReason": "REASON_STOP"}], "usage": camel}
    ask = {"model": "grok-4-byhand", "messages": [{"role": "ROLE_USER", "content": [{"text": turned(RING, 40)}]}]}
    compact = {"id": "byhand0002", "output": {"data": "AAAA"}, "usage": {"prompt_tokens": 210, "completion_tokens": 40, "total_tokens": 250}}
    lines = {"shape": "ndjson"} | page
    counted = {"counts": (32, 103), "usage": usage} | page
    return [
        _with(exchange("plain", ("xai_grpc", "chat", f"{path}/GetCompletion"), ask, plain, **counted), cached_input_tokens=6, reasoning_tokens=94),
        _with(
            exchange("stream", ("xai_grpc", "chat", f"{path}/GetCompletionChunk"), ask, [*chunks, end], counts=(12, 6), usage=camel, **lines),
            cached_input_tokens=0,
            reasoning_tokens=0,
        ),
        exchange("cut", ("xai_grpc", "chat", f"{path}/GetCompletionChunk"), ask, chunks, ended=False, incomplete=True, **lines),
        _with(
            exchange("plain", ("xai_grpc", "compact", f"{path}/CompactContext"), ask, compact, counts=(210, 40), usage=compact["usage"], **page),
            cached_input_tokens=0,
            reasoning_tokens=0,
            model=None,
        ),
    ]


def _of_live(exchange: Make) -> list[dict[str, Any]]:
    """The server's messages of a session over a websocket: two turns, each billed with the whole context by then; a turn of Vertex's."""
    first = {
        "promptTokenCount": 143,
        "responseTokenCount": 19,
        "thoughtsTokenCount": 36,
        "totalTokenCount": 198,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 118}, {"modality": "AUDIO", "tokenCount": 25}],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 19}],
    }
    second = {"promptTokenCount": 181, "responseTokenCount": 24, "totalTokenCount": 205, "cachedContentTokenCount": 64}
    vertex = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
    sound = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "bG9yZW0gaXBzdW0g"}}
    said = [{"serverContent": {"modelTurn": {"parts": [part]}}} for part in (sound, {"text": turned(RING, 20)})]

    def over(usage: dict[str, Any]) -> dict[str, Any]:
        return {"serverContent": {"turnComplete": True}, "usageMetadata": usage}

    page = {"documented_at": "Gemini API: Live API, WebSockets API reference", "model": None, "shape": "ndjson"}
    ask = {"setup": {"model": "models/gemini-live-2.5-flash-preview"}}
    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    turns = [*said, over(first), *said, over(second)]
    return [
        _with(
            exchange("turns", ("google_genai", "live", path), ask, turns, counts=(324, 79), usage=second, **page),
            cached_input_tokens=64,
            reasoning_tokens=36,
        ),
        exchange("cut", ("google_genai", "live", path), ask, said, ended=False, incomplete=True, **page),
        exchange(
            "turn",
            ("vertex", "live", "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"),
            ask,
            [*said, over(vertex)],
            counts=(9, 3),
            usage=vertex,
            **page,
        ),
    ]


def _of_claude(exchange: Make) -> list[dict[str, Any]]:
    """Two turns of one process, whose second result states the totals of both; a result alone; one without `modelUsage`; one that failed."""
    page = {"documented_at": "Claude Agent SDK: Track cost and usage", "shape": "ndjson", "model": "claude-byhand-4"}
    alone = {key: value for key, value in page.items() if key != "shape"}
    head = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "session_id": "byhand", "result": turned(RING, 20)}

    def result(given: int, made: int, read: int, written: int, **more: Any) -> dict[str, Any]:
        usage = {"inputTokens": given, "outputTokens": made, "cacheReadInputTokens": read, "cacheCreationInputTokens": written, "costUSD": 0.01}
        return head | {"modelUsage": {"claude-byhand-4": usage}} | more

    said = {"type": "assistant", "message": {"model": "claude-byhand-4", "content": [{"type": "text", "text": turned(RING, 20)}]}}
    start = {"type": "system", "subtype": "init", "session_id": "byhand", "model": "claude-byhand-4"}
    turns = [start, said, result(10, 5, 100, 40), said, result(22, 11, 240, 40)]
    old = head | {"usage": {"input_tokens": 4, "output_tokens": 7, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 3}}
    ask, place = {"prompt": turned(RING, 40)}, ("claude_agent", "agent", "/claude")
    return [
        _with(
            exchange("two-turns", place, ask, turns, counts=(302, 11), usage=turns[-1]["modelUsage"], **page),
            input_tokens=22,
            cached_input_tokens=240,
            cache_write_tokens=40,
        ),
        _with(
            exchange("result", place, ask, result(10, 5, 100, 40), counts=(150, 5), usage=result(10, 5, 100, 40)["modelUsage"], **alone),
            input_tokens=10,
            cached_input_tokens=100,
            cache_write_tokens=40,
        ),
        _with(
            exchange(
                "failed",
                place,
                ask,
                result(10, 5, 0, 0, is_error=True),
                counts=(10, 5),
                usage=result(10, 5, 0, 0)["modelUsage"],
                failed=True,
                **alone,
            ),
            cached_input_tokens=0,
            cache_write_tokens=0,
        ),
        _with(
            exchange("without-models", place, ask, [start, said, old], counts=(27, 7), usage=old["usage"], **page),
            input_tokens=4,
            cached_input_tokens=20,
            cache_write_tokens=3,
        ),
    ]

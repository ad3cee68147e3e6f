"""A server that answers as each provider does, by the path and by whether a stream is asked for: the same tokens every time.

How many requests it answered is the truth that a framework's rows are compared with.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from tests.support.loopback import LoopbackServer
from tests.support.scripted import chunks, completion, sse

IN, OUT = 40, 11
"""The tokens of every answer."""
REFUSED = (429, {"error": {"message": "slow down", "type": "rate_limit_error", "code": "429"}})
ASKED_BESIDE = ("/api/show",)
"""What a framework asks beside its calls, and does without: what a model can do."""

_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1790000000,
    "model": "m-1",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "lorem ipsum", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": IN,
        "output_tokens": OUT,
        "total_tokens": IN + OUT,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m-1",
    "content": [{"type": "text", "text": "lorem ipsum"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": IN, "output_tokens": OUT, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
}
_CONTENT = {
    "candidates": [{"content": {"parts": [{"text": "lorem ipsum"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": IN, "candidatesTokenCount": OUT, "totalTokenCount": IN + OUT},
    "modelVersion": "m-1",
    "responseId": "r1",
}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "lorem ipsum"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": IN, "outputTokens": OUT, "totalTokens": IN + OUT},
    "metrics": {"latencyMs": 1},
}
_COHERE = {
    "id": "c1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "lorem ipsum"}]},
    "usage": {"billed_units": {"input_tokens": IN, "output_tokens": OUT}, "tokens": {"input_tokens": IN, "output_tokens": OUT}},
}
_OLLAMA = {
    "model": "m-1",
    "created_at": "2026-01-01T00:00:00Z",
    "message": {"role": "assistant", "content": "lorem ipsum"},
    "response": "lorem ipsum",
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": IN,
    "eval_count": OUT,
}
_EMBEDDINGS = {
    "object": "list",
    "model": "m-1",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.5]}],
    "usage": {"prompt_tokens": IN, "total_tokens": IN},
}
_SPOKEN = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "lorem ipsum", "logprobs": []}


def _chat_chunks() -> list[bytes]:
    return sse(chunks("lorem ", "ipsum", usage=True))


def _response_events() -> list[bytes]:
    begun = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **at, "part": part},
        _SPOKEN,
        {"type": "response.output_text.done", **at, "text": "lorem ipsum", "logprobs": []},
        {"type": "response.content_part.done", **at, "part": {**part, "text": "lorem ipsum"}},
        {"type": "response.output_item.done", "output_index": 0, "item": _RESPONSE["output"][0]},  # type: ignore[index]
        {"type": "response.completed", "response": _RESPONSE},
    ]
    return sse([{**event, "sequence_number": place} for place, event in enumerate(events)], done=False, names=True)


def _message_events() -> list[bytes]:
    begun = {**_MESSAGE, "content": [], "stop_reason": None, "usage": {**_MESSAGE["usage"], "output_tokens": 1}}  # type: ignore[dict-item]
    return sse(
        [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lorem ipsum"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": OUT}},
            {"type": "message_stop"},
        ],
        done=False,
        names=True,
    )


def _frame(kind: str, fields: dict[str, Any]) -> bytes:
    """One frame of AWS, with its checksums."""
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(bytes((len(name),)) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode() for name, text in named.items())
    payload = json.dumps(fields).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    framed = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return framed + struct.pack(">I", zlib.crc32(framed))


def _converse_frames() -> list[bytes]:
    return [
        _frame("messageStart", {"role": "assistant"}),
        _frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lorem ipsum"}}),
        _frame("contentBlockStop", {"contentBlockIndex": 0}),
        _frame("messageStop", {"stopReason": "end_turn"}),
        _frame("metadata", {"usage": _CONVERSE["usage"], "metrics": {"latencyMs": 1}}),
    ]


def _cohere_events() -> list[bytes]:
    return sse(
        [
            {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant", "content": []}}},
            {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "lorem ipsum"}}}},
            {"type": "content-end", "index": 0},
            {"type": "message-end", "id": "c1", "delta": {"finish_reason": "COMPLETE", "usage": _COHERE["usage"]}},
        ],
        done=False,
    )


def _ollama_lines() -> list[bytes]:
    first = {**_OLLAMA, "done": False, "prompt_eval_count": None, "eval_count": None, "done_reason": None}
    last = {**_OLLAMA, "message": {"role": "assistant", "content": ""}, "response": ""}
    return [json.dumps(each).encode() + b"\n" for each in (first, last)]


EVENTS, NDJSON, FRAMES = "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"
PATHS: dict[str, tuple[Any, Any, str]] = {
    "/chat/completions": (lambda: completion(service_tier="default"), _chat_chunks, EVENTS),
    "/responses": (lambda: _RESPONSE, _response_events, EVENTS),
    "/messages": (lambda: _MESSAGE, _message_events, EVENTS),
    "/v2/chat": (lambda: _COHERE, _cohere_events, EVENTS),
    "/api/chat": (lambda: _OLLAMA, _ollama_lines, NDJSON),
    "/embeddings": (lambda: _EMBEDDINGS, None, ""),
    ":generateContent": (lambda: _CONTENT, None, ""),
    ":streamGenerateContent": (None, lambda: sse([_CONTENT], done=False), EVENTS),
    "/converse": (lambda: _CONVERSE, None, ""),
    "/converse-stream": (None, _converse_frames, FRAMES),
}
"""By the end of a path: a whole answer, the parts of a stream, and what kind of stream it is."""


class AnyProvider(LoopbackServer):
    """The server. `answered` has the path of every request that got an answer, `refuse` more requests are refused before the next one is answered."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.refused = 0
        self.refuse = 0
        self.unknown: list[str] = []

    def answer(self, request: Any, body: bytes) -> None:
        """Answers one request."""
        path = request.path.partition("?")[0]
        known = next((PATHS[end] for end in PATHS if path.endswith(end)), None)
        if known is None:
            self.unknown += () if path.endswith(ASKED_BESIDE) else (path,)
            _send(request, 404, {"error": {"message": f"no such path: {path}"}})
        elif self.refuse:
            self.refuse -= 1
            self.refused += 1
            _send(request, *REFUSED)
        else:
            self.answered.append(path)
            whole, parts, kind = known
            if parts is not None and (whole is None or json.loads(body).get("stream")):
                _send_parts(request, parts(), kind)
            else:
                _send(request, 200, whole())


def _send(request: Any, status: int, value: Any) -> None:
    text = json.dumps(value).encode()
    request.send_response(status)
    for name, what in {"content-type": "application/json", "retry-after-ms": "1", "retry-after": "0", "content-length": str(len(text))}.items():
        request.send_header(name, what)
    request.end_headers()
    request.wfile.write(text)


def _send_parts(request: Any, parts: list[bytes], kind: str) -> None:
    request.send_response(200)
    request.send_header("content-type", kind)
    request.send_header("transfer-encoding", "chunked")
    request.end_headers()
    for part in parts:
        request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        request.wfile.flush()
    request.wfile.write(b"0\r\n\r\n")

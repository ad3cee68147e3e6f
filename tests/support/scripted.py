"""A provider on a real socket that answers what a test tells it to, in order, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import LoopbackServer

USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 11,
    "total_tokens": 51,
    "prompt_tokens_details": {"cached_tokens": 32, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 0},
}
HEAD = {"id": "chatcmpl-scripted", "created": 1790000000, "model": "gpt-4o-mini-2024-07-18"}


def completion(content: str = "lorem ipsum", finish: str = "stop", **more: Any) -> dict[str, Any]:
    """A chat completion that states `USAGE`."""
    message = {"role": "assistant", "content": content, "refusal": None}
    choice = {"index": 0, "finish_reason": finish, "logprobs": None, "message": message}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE, **more}


def chunks(*texts: str, usage: bool = False, finish: str | None = "stop") -> list[dict[str, Any]]:
    """The chunks of a chat stream; with `usage`, a `null` in each and a last one that states `USAGE`, as OpenAI sends them when asked."""
    null: dict[str, Any] = {"usage": None} if usage else {}

    def chunk(choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {**HEAD, "object": "chat.completion.chunk", "choices": choices, **(null | more)}

    def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]

    sent = [chunk(choice({"role": "assistant", "content": ""})), *(chunk(choice({"content": text})) for text in texts)]
    if finish:
        sent.append(chunk(choice({}, finish)))
    if usage:
        sent.append(chunk([], usage=USAGE))
    return sent


def sse(events: Iterable[dict[str, Any]], *, done: bool = True, names: bool = False) -> list[bytes]:
    """Events as a server sends them; with `names` each says its type, as Responses' do."""
    lines = [(f"event: {event['type']}\n" if names else "") + f"data: {json.dumps(event)}\n\n" for event in events]
    return [line.encode() for line in lines] + ([b"data: [DONE]\n\n"] if done else [])


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON of a request; of a form, nothing."""
    try:
        return json.loads(body) if body else {}  # type: ignore[no-any-return]
    except ValueError:
        return {}


class ScriptedServer(LoopbackServer):
    """Each request takes the next answer; the last one stays.

    An answer is a dictionary (JSON), a list of bytes (a stream), a text (plain text), bytes (audio), or `(status, dictionary)`.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self._lock = threading.Lock()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Takes the next answer."""
        self._answer(request, parsed(body))

    def _answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        with self._lock:
            self.asked.append(body)
            self.paths.append(request.path)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(answer, list):
            request.send_response(status)
            request.send_header("content-type", "text/event-stream")
            request.send_header("transfer-encoding", "chunked")
            request.end_headers()
            for part in answer:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                request.wfile.flush()
            request.wfile.write(b"0\r\n\r\n")
            return
        kind = {str: "text/plain", bytes: "audio/mpeg"}.get(type(answer), "application/json")
        text = answer if isinstance(answer, bytes) else answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("content-type", kind)
        request.send_header("retry-after-ms", "1")
        request.send_header("content-length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

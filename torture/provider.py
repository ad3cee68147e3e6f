"""A provider in a process of its own, which writes down each answer before it is sent: `python -m torture.provider FILE`.

Each request states its operation id as the text of its last message. Every answer states other numbers of tokens than the answer before, so that a
ledger that mixes two calls up is noticed. The file has a line `operation input output` for each answer; the address is the first line of the output.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import LoopbackServer

MODEL = "gpt-4o-mini"
WORDS = ("lorem", " ipsum", " dolor")


def stated(number: int) -> dict[str, int]:
    """Returns the usage of answer `number`."""
    return {"prompt_tokens": 10 + number, "completion_tokens": 1 + number % 97, "total_tokens": 11 + number + number % 97}


def completion(number: int, usage: dict[str, int]) -> dict[str, Any]:
    """Returns a chat completion."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "".join(WORDS)}}
    return {"id": f"chatcmpl-{number}", "created": 1, "model": MODEL, "object": "chat.completion", "choices": [choice], "usage": usage}


def chunks(number: int, usage: dict[str, int]) -> list[dict[str, Any]]:
    """Returns the chunks of a stream, the usage in the last one."""
    head = {"id": f"chatcmpl-{number}", "created": 1, "model": MODEL, "object": "chat.completion.chunk"}
    deltas = [{"index": 0, "delta": {"content": word}, "finish_reason": None} for word in WORDS]
    return [*({**head, "choices": [delta], "usage": None} for delta in deltas), {**head, "choices": [], "usage": usage}]


class Provider(LoopbackServer):
    """Answers chat completions, whole or streamed, and writes down each answer."""

    def __init__(self, path: str) -> None:
        self._answers = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._numbers = itertools.count(1)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Writes down and sends one answer."""
        asked = json.loads(body)
        number = next(self._numbers)
        usage = stated(number)
        operation = asked["messages"][-1]["content"]
        os.write(self._answers, f"{operation} {usage['prompt_tokens']} {usage['completion_tokens']}\n".encode())
        if asked.get("stream"):
            kind = "text/event-stream"
            text = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks(number, usage)) + b"data: [DONE]\n\n"
        else:
            kind, text = "application/json", json.dumps(completion(number, usage)).encode()
        request.send_response(200)
        request.send_header("content-type", kind)
        request.send_header("content-length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)


def main(path: str) -> None:
    """Answers until the process is ended."""
    with Provider(path) as provider:
        print(provider.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])

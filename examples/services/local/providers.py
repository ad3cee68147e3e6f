"""A stand-in for Groq, OpenAI and Ollama on 127.0.0.1, for those who have no keys, and for tests: the services use the providers' own SDKs.

    python examples/services/local/providers.py --port 8090

    GROQ_BASE_URL=http://127.0.0.1:8090   OPENAI_BASE_URL=http://127.0.0.1:8090/v1   OLLAMA_HOST=http://127.0.0.1:8090

Answers repeat the question's first words; vectors are made of the words, so that a search finds what has the same words. Groq does what a word in the
question says: `[limit]` 429, `[fail]` 503, `[empty]` an answer without text, `[cut]` a stream that breaks off, `[hang]` a stream that goes on until
its reader leaves. OpenAI answers 429 the first time that a text with `[limit]` is embedded. `GET /truth` states what each request was answered:
provider, model, tokens, how it ended, and the trace that asked.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import select
import signal
import struct
import threading
import time
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 64
WORDS = 12
CUT_AFTER = 3
HANG_SECONDS = 60.0
PROVIDERS = {"/openai/v1/chat/completions": "groq", "/v1/embeddings": "openai", "/api/chat": "ollama", "/api/embed": "ollama"}
FAULTS = ("limit", "fail", "empty", "cut", "hang")
STATUSES = {"limit": 429, "fail": 503}

Json = dict[str, Any]


@dataclass
class Told:
    """What one request was answered. `ended`: `open`, `complete` (every byte was sent), `error` (a status), `cut`, or `left` by the reader."""

    provider: str
    path: str
    model: str
    stream: bool
    trace_id: str
    baggage: str
    status: int = 200
    input: int = 0
    output: int = 0
    ended: str = "open"


class Server(ThreadingHTTPServer):
    """The stand-in, and all that it has answered."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.Lock()
        self.told: list[Told] = []
        self.number = 0
        self.limited: set[str] = set()

    def limits(self, text: str) -> bool:
        """Whether a text's embedding is refused this time: the first time, if the text says so."""
        with self.lock:
            first = "[limit]" in text and text not in self.limited
            self.limited.add(text)
            return first

    def next_number(self) -> int:
        """Number a request: counts differ from each other, so that a mix-up shows."""
        with self.lock:
            self.number += 1
            return self.number


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: object) -> None:
        """Write no line for each request."""

    def do_GET(self) -> None:
        """State the truth, or that the stand-in is there."""
        if self.path == "/truth":
            with self.server.lock:
                told = [asdict(each) for each in self.server.told]
            self.plain({"answered": told})
        else:
            self.plain({"service": "providers"})

    def do_POST(self) -> None:
        """Answer a request as the provider of its path would."""
        given: Json = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        provider = PROVIDERS.get(self.path)
        if provider is None:
            self.plain({"error": {"message": f"there is no {self.path}"}}, 404)
            return
        trace_id = (self.headers.get("traceparent") or "--").split("-")[1]
        told = Told(provider, self.path, given.get("model", ""), bool(given.get("stream")), trace_id, self.headers.get("baggage") or "")
        with self.server.lock:
            self.server.told.append(told)
        try:
            (self.chat if "chat" in self.path else self.embed)(given, told)
        except (BrokenPipeError, ConnectionResetError):
            told.ended = "left"
            self.close_connection = True

    def embed(self, given: Json, told: Told) -> None:
        """Answer with vectors."""
        texts = [given["input"]] if isinstance(given["input"], str) else given["input"]
        if told.provider == "openai" and self.server.limits(texts[0]):
            self.refuse(told, "limit", texts[0], {"retry-after-ms": "20"})
            return
        told.input = sum(map(tokens_of, texts)) + self.server.next_number() % 97
        vectors = [vector_of(text) for text in texts]
        if told.provider == "ollama":
            self.plain({"model": told.model, "embeddings": vectors, "prompt_eval_count": told.input})
        else:
            if given.get("encoding_format") == "base64":
                vectors = [base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode() for vector in vectors]  # type: ignore[misc]
            data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]
            usage = {"prompt_tokens": told.input, "total_tokens": told.input}
            self.plain({"object": "list", "model": told.model, "data": data, "usage": usage})
        told.ended = "complete"

    def chat(self, given: Json, told: Told) -> None:
        """Answer with words, or as the question's fault says."""
        messages = given["messages"]
        question = str(messages[-1]["content"])
        fault = next((name for name in FAULTS if f"[{name}]" in question), "") if told.provider == "groq" else ""
        if fault in STATUSES:
            self.refuse(told, fault, question, {"retry-after": "1"})
            return
        number = self.server.next_number()
        told.input = sum(tokens_of(str(message["content"])) for message in messages) + number % 97
        words = [] if fault == "empty" else [f"{word} " for word in question.split()[:WORDS]]
        if given.get("response_format") or given.get("format"):
            words = [json.dumps(dict.fromkeys(re.findall(r"\w+", str(messages[0]["content"])), "".join(words).strip()))]
        told.output = len(words) + 1 + number % 13
        if not told.stream:
            self.plain(whole(told, "".join(words), number))
            told.ended = "complete"
            return
        self.stream(told, words, number, fault)

    def refuse(self, told: Told, fault: str, text: str, headers: dict[str, str]) -> None:
        """Answer with a status, and repeat text and key, as some providers' errors do."""
        told.status, told.ended = STATUSES[fault], "error"
        message = f"the text asks for {fault}: {text} ({self.headers.get('authorization')})"
        self.plain({"error": {"message": message, "type": fault}}, told.status, headers)

    def stream(self, told: Told, words: list[str], number: int, fault: str) -> None:
        """Answer word by word."""
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson" if told.provider == "ollama" else "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for place, word in enumerate(words):
            if fault == "cut" and place == CUT_AFTER:
                told.ended, self.close_connection = "cut", True
                return
            if fault == "hang" and place == CUT_AFTER:
                self.wait_until_left()
                told.ended, self.close_connection = "left", True
                return
            self.piece(piece_of(told, word, number))
        self.piece(last_of(told, number))
        self.wfile.write(b"0\r\n\r\n")
        told.ended = "complete"

    def wait_until_left(self) -> None:
        """Send nothing, until the reader closes the connection."""
        select.select([self.connection], [], [], HANG_SECONDS)

    def piece(self, text: str) -> None:
        """Send a part of a stream."""
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def plain(self, value: Json, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer."""
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)


def tokens_of(text: str) -> int:
    """Count a text's tokens, as this stand-in's model would: four characters each."""
    return len(text) // 4 + 1  # tokentrail: ignore[TT302] - whatever this stand-in counts is the truth


def vector_of(text: str) -> list[float]:
    """Make a vector of a text's words, of length 1."""
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        vector[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % DIMENSIONS] += 1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def usage_of(told: Told) -> Json:
    """State the counts as the provider does."""
    if told.provider == "ollama":
        return {"prompt_eval_count": told.input, "eval_count": told.output, "total_duration": 9, "eval_duration": 5, "prompt_eval_duration": 3}
    return {"prompt_tokens": told.input, "completion_tokens": told.output, "total_tokens": told.input + told.output}


def whole(told: Told, text: str, number: int) -> Json:
    """Make an answer in one piece."""
    if told.provider == "ollama":
        message = {"role": "assistant", "content": text}
        return {"model": told.model, "created_at": now(), "message": message, "done": True, "done_reason": "stop", **usage_of(told)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": int(time.time()), "model": told.model}
    return {**head, "choices": [choice], "usage": usage_of(told), "x_groq": {"id": f"req_{number}"}}


def piece_of(told: Told, word: str, number: int) -> str:
    """Make a part of a stream."""
    if told.provider == "ollama":
        return json.dumps({"model": told.model, "created_at": now(), "message": {"role": "assistant", "content": word}, "done": False}) + "\n"
    return sse(told, number, [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}])


def last_of(told: Told, number: int) -> str:
    """Make the end of a stream, which states the counts."""
    if told.provider == "ollama":
        return json.dumps({**whole(told, "", number)}) + "\n"
    end = sse(told, number, [{"index": 0, "delta": {}, "finish_reason": "stop"}], {"x_groq": {"id": f"req_{number}", "usage": usage_of(told)}})
    return f"{end}data: [DONE]\n\n"


def sse(told: Told, number: int, choices: list[Json], further: Json | None = None) -> str:
    """Write a chunk of Groq's streams."""
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": int(time.time()), "model": told.model}
    return f"data: {json.dumps({**head, 'choices': choices, **(further or {})})}\n\n"


def now() -> str:
    """Write the time as Ollama does."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="a stand-in for Groq, OpenAI and Ollama")
    parser.add_argument("--port", type=int, default=8090)
    server = Server(parser.parse_args().port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
    server.server_close()


if __name__ == "__main__":
    main()

"""Planted texts and keys: on disk and on the wire there is none of them."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.services import ROOT

PROMPT = "planted-prompt-quetzal"
ANSWER = "planted-answer-axolotl"
FAILURE = "planted-failure-capybara"
KEY = "sk-planted-key-ocelot"
SENT = "sent: metadata stays"

PROGRAM = f"""
import contextlib, gc, os, openai, tokentrail
tokentrail.setup_opentelemetry(service_name="privacy")
tokentrail.instrument()
client = openai.OpenAI(max_retries=0)
ask = dict(model="gpt-4o-mini", messages=[{{"role": "user", "content": "{PROMPT} " * 3}}])

@tokentrail.track_tokens(operation="query", tenant_id="acme", metadata={{"note": "{SENT}"}})
def service():
    client.chat.completions.create(**ask)
    list(client.chat.completions.create(stream=True, **ask))
    for chunk in client.chat.completions.create(stream=True, **ask):
        break
    del chunk
    gc.collect()
    with contextlib.suppress(openai.APIError):
        client.chat.completions.create(**(ask | {{"model": "fail"}}))
    client.embeddings.create(model="text-embedding-3-small", input="{PROMPT}")
    raise RuntimeError("{FAILURE}")

with contextlib.suppress(RuntimeError):
    service()
assert tokentrail.flush(20)
from opentelemetry import metrics, trace
trace.get_tracer_provider().shutdown()
metrics.get_meter_provider().shutdown()
os._exit(0)
"""


class Provider(BaseHTTPRequestHandler):
    """Answers in OpenAI's shape with the planted answer, and fails with the prompt in its message."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for a delayed acknowledgement

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] == "fail":
            return self._send(400, json.dumps({"error": {"message": f"{FAILURE}: {PROMPT}", "type": "bad", "code": "bad"}}))
        if self.path.endswith("embeddings"):
            return self._send(
                200,
                json.dumps(
                    {
                        "object": "list",
                        "model": "m",
                        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}],
                        "usage": {"prompt_tokens": 3, "total_tokens": 3},
                    }
                ),
            )
        if asked.get("stream"):
            piece = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            words = [json.dumps(piece | {"choices": [{"index": 0, "delta": {"content": ANSWER}}]}) for _ in range(3)]
            return self._send(200, "".join(f"data: {word}\n\n" for word in [*words, "[DONE]"]), "text/event-stream")
        message = {"role": "assistant", "content": ANSWER}
        answer = {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        return self._send(200, json.dumps(answer | {"usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}))

    def _send(self, status: int, text: str, content_type: str = "application/json") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Listener(BaseHTTPRequestHandler):
    """Takes everything that leaves the process as telemetry, and keeps the bytes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for a delayed acknowledgement
    heard: dict[str, bytes]

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.heard[self.path] = self.heard.get(self.path, b"") + body + str(self.headers).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler]):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("collector_answers", [True, False])
def test_planted_texts_stay_in_the_process(tmp_path: Path, collector_answers: bool) -> None:
    heard: dict[str, bytes] = {}
    listener = type("Heard", (Listener,), {"heard": heard})
    with served(Provider) as provider, served(listener) as collector:
        settings = {
            "PATH": "",
            "HOME": str(tmp_path),
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{provider}/v1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
            "TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"),
        }
        if not collector_answers:
            settings |= {"TOKENTRAIL_SHIP": "false"}
        program = (
            PROGRAM
            if collector_answers
            else PROGRAM.replace(
                "assert tokentrail.flush(20)",
                "from tokentrail.process.current import current; current.runtime.deferred.drain(10); current.runtime.drain_estimates(10)",
            )
        )
        ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    everything = heard | {str(path): path.read_bytes() for path in files} | {"stderr": ran.stderr.encode(), "stdout": ran.stdout.encode()}
    if collector_answers:
        assert {"/v1/logs", "/v1/traces", "/v1/metrics"} <= heard.keys()
        assert heard["/v1/logs"].count(b"tokentrail.seq") >= 5
    else:
        assert any(path.suffix == ".journal" for path in files)
    assert SENT.encode() in b"".join(everything.values())  # the search can find something
    for planted in (PROMPT, ANSWER, FAILURE, KEY):
        assert [place for place, content in everything.items() if planted.encode() in content] == []

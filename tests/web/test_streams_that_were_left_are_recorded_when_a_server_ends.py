"""A client leaves in the middle of a streamed answer, and the server is stopped by SIGTERM, of which uvicorn ends: the call has its row.

Starlette does not close the generator of such an answer, and an SDK's stream is a cycle of references: the garbage collector alone finds both. It is
off here, so that chance does not help.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from tests.support.calls import journal_of
from tests.support.loopback import LoopbackServer
from tests.support.scripted import chunks, sse
from tests.support.waiting import wait_until
from tokentrail.local.child import Child
from tokentrail.local.ports import free_port

pytestmark = pytest.mark.slow

APPLICATION = """
import gc
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import OpenAI
from tokentrail.web import ASGIMiddleware, header

gc.disable()
app = FastAPI()
app.add_middleware(ASGIMiddleware, tenant_id=header("X-Tenant-ID"), operation="chat")
client = OpenAI()

@app.get("/chat")
def chat():
    def words():
        for chunk in client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True):
            yield "word "
    return StreamingResponse(words(), media_type="text/plain")
"""
FLUSHED = """
import os, signal, time
import openai, tokentrail
tokentrail.instrument()
def ask():
    with tokentrail.track_tokens("chat", tenant_id="acme"):
        for chunk in openai.OpenAI().chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True):
            break
import gc; gc.disable()
ask()
tokentrail.flush(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Slow(LoopbackServer):
    """Streams a few words, and no end until the reader has left."""

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        del body
        request.send_response(200)
        request.send_header("content-type", "text/event-stream")
        request.end_headers()
        for part in sse(chunks(*["word "] * 200), done=False):
            request.wfile.write(part)
            request.wfile.flush()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with Slow() as provider:
        given = {"OPENAI_BASE_URL": f"{provider.url}/v1", "OPENAI_API_KEY": "none", "PATH": "", "HOME": str(tmp_path)}
        yield given | {"TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"), "TOKENTRAIL_SHIP": "false", "TOKENTRAIL_ESTIMATE": "false"}


def recorded(folder: Path) -> list[tuple[str, str]]:
    return [(usage.tenant_id, usage.ended) for _writer, _number, usage in journal_of(folder / "journal")]


def test_a_server_that_a_signal_ends(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        with httpx.Client() as client:
            try:
                return client.get(f"{url}/none").status_code == 404
            except httpx.TransportError:
                return False

    command = [sys.executable, "-m", "uvicorn", "application:app", "--port", str(port)]
    with Child("uvicorn", command, environment=environment, folder=tmp_path, ready=answers).start() as server:
        for tenant in ("acme", "globex"):
            with httpx.stream("GET", f"{url}/chat", headers={"X-Tenant-ID": tenant}) as answer:
                next(answer.iter_raw(1))
        wait_until(lambda: sum("/chat" in line for line in server.lines) == 2, "both answers have begun")
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        assert server.code == -signal.SIGTERM, "uvicorn ends by the signal: no exit handler has run"
        assert not [line for line in server.lines if "Traceback" in line]
    assert sorted(recorded(tmp_path)) == [("acme", "partial"), ("globex", "partial")]


def test_a_program_that_has_flushed(tmp_path: Path, environment: dict[str, str]) -> None:
    with Child("a program", [sys.executable, "-c", FLUSHED], environment=environment, folder=tmp_path).start() as program:
        assert program.wait(60) == -signal.SIGKILL, program.last_words()
    assert recorded(tmp_path) == [("acme", "partial")]

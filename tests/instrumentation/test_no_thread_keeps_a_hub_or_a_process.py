"""No thread of tokentrail keeps a hub, an event loop or a process: not under gevent or eventlet, not in a child that was forked in a thread."""

from __future__ import annotations

import http.client
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.otlp_receiver import Otlp
from tests.support.programs import run
from tests.support.scripted import ScriptedServer, chunks, sse
from tests.support.services import ROOT
from tokentrail import semconv
from tokentrail.journal.folder import writer_folders
from tokentrail.journal.reader import summarize
from tokentrail.local.child import Child
from tokentrail.local.ports import free_port

pytestmark = pytest.mark.slow

REQUESTS = 6
TEXTS = ("one ", "two ", "three")


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def listens(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
    except OSError:
        return False
    return True


SERVERS = {
    "gevent-preloaded": ["gunicorn", "--preload", "-k", "gevent", "-w", "1", "--graceful-timeout", "5"],
    "gevent": ["gunicorn", "-k", "gevent", "-w", "1", "--graceful-timeout", "5"],
    "eventlet-preloaded": ["tests.support.green_service", "eventlet"],
}


@pytest.fixture(params=list(SERVERS))
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, Child, Otlp]]:
    port = free_port()
    command = SERVERS[request.param]
    arguments = [str(port)] if "eventlet" in request.param else ["-b", f"127.0.0.1:{port}", "tests.support.green_service:application"]
    with ScriptedServer(sse(chunks(*TEXTS))) as provider, Otlp() as collector:
        environment = os.environ | {
            "HOME": str(tmp_path),
            "OPENAI_BASE_URL": f"{provider.url}/v1",
            "OPENAI_API_KEY": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1/logs"),
            "TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"),
            "TOKENTRAIL_SHIP_INTERVAL": "0.1",
            "TOKENTRAIL_SHIP": "true",
            "TOKENTRAIL_ESTIMATE": "true",
        }
        server = Child("the server", [sys.executable, "-m", *command, *arguments], folder=ROOT, environment=environment, ready=lambda: listens(port))
        with server.start():
            yield port, server, collector


def test_requests_are_answered_and_counted_beside_greenlets(served: tuple[int, Child, Otlp]) -> None:
    port, server, collector = served
    for _ in range(REQUESTS):
        assert get(port, "/read") == (200, "".join(TEXTS))
        assert get(port, "/left")[0] == 200
    assert get(port, "/flush") == (200, "True")
    usages = {record.seq: record for record in collector.taken if record.event == semconv.EVENT_USAGE}
    assert len(usages) >= 2 * REQUESTS
    server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0
    assert "tokentrail" not in "\n".join(server.lines).replace(str(ROOT), "")  # eventlet itself has a word about its age, and about pydantic


FORKED_IN_A_THREAD = """
import json, os, sys, threading, time
import openai, tokentrail

tokentrail.instrument()
client = openai.OpenAI(max_retries=0)

def call():
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True)
    next(iter(stream))

def fork():
    child = os.fork()
    if child == 0:
        call()
        sys.exit(0)
    pids.append(child)

pids = []
call()
thread = threading.Thread(target=fork)
thread.start()
thread.join()
deadline = time.monotonic() + 15
while time.monotonic() < deadline:
    pid, status = os.waitpid(pids[0], os.WNOHANG)
    if pid:
        break
    time.sleep(0.02)
else:
    os.kill(pids[0], 9)
print(json.dumps({"ended": pid != 0, "status": status}))
"""


@pytest.mark.parametrize("ship", ["true", "false"])
def test_a_child_forked_in_a_thread_ends_when_its_thread_does(tmp_path: Path, ship: str) -> None:
    with ScriptedServer(sse(chunks(*TEXTS))) as provider, Otlp() as collector:
        seen = run(
            FORKED_IN_A_THREAD,
            journal=tmp_path,
            OPENAI_BASE_URL=f"{provider.url}/v1",
            OPENAI_API_KEY="none",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url.removesuffix("/v1/logs"),
            TOKENTRAIL_SHIP=ship,
            TOKENTRAIL_SHIP_INTERVAL="0.1",
            TOKENTRAIL_EXIT_TIMEOUT="20",
            TOKENTRAIL_ESTIMATE="true",
        )
        assert seen == {"ended": True, "status": 0}
        if ship == "true":
            closed = {record.writer_id for record in collector.taken if record.event == semconv.EVENT_CLOSING}
            assert len(closed) == 2  # the parent's writer and the child's
        else:
            assert [summarize(folder).closed for folder in writer_folders(tmp_path)] == [True, True]

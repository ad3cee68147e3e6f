"""A call that its own code ends by an error is `error`; one that is ended from outside (cancelled, killed, interrupted) is `partial`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.programs import run
from tests.support.scripted import chunks, completion, sse
from tokentrail.instrumentation.registry import instrument
from tokentrail.testing import Usages

http = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class GreenletExit(BaseException):
    """As greenlet throws it into a greenlet that is killed."""


class Timeout(BaseException):
    """As gevent and eventlet raise it."""


OUTSIDE = [GreenletExit, Timeout, KeyboardInterrupt, SystemExit, asyncio.CancelledError]


class Cut(http.SyncByteStream):  # type: ignore[misc]
    """A body during which the reading code is thrown out."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from sse(chunks("a", "b", usage=True), done=False)[:2]
        raise self.error


class Transport(http.BaseTransport):  # type: ignore[misc]
    def __init__(self, error: type[BaseException], *, stream: bool) -> None:
        self.error, self.stream = error, stream

    def handle_request(self, request: Any) -> Any:
        if not self.stream:
            raise self.error
        return http.Response(200, headers={"content-type": "text/event-stream"}, stream=Cut(self.error), request=request)


def client_of(error: type[BaseException], *, stream: bool) -> openai.OpenAI:
    http_client = http.Client(transport=Transport(error, stream=stream))
    return openai.OpenAI(base_url="http://server.invalid", api_key="none", max_retries=0, http_client=http_client)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", OUTSIDE)
def test_ended_from_outside(usages: Usages, error: type[BaseException], stream: bool) -> None:
    instrument()
    with pytest.raises(error):
        list(client_of(error, stream=stream).chat.completions.create(**ASK, stream=stream))
    assert [usage.ended for usage in usages.recorded] == ["partial"]
    assert usages.recorded[0].error_type.endswith(error.__name__)


@pytest.mark.parametrize("stream", [False, True])
def test_ended_by_an_error(usages: Usages, stream: bool) -> None:
    instrument()
    with pytest.raises((openai.APIConnectionError, ValueError)):
        list(client_of(ValueError, stream=stream).chat.completions.create(**ASK, stream=stream))
    assert [usage.ended for usage in usages.recorded] == ["error"]


@pytest.mark.parametrize("dropped", [False, True])
async def test_a_task_that_is_cancelled_or_dropped_while_it_waits(usages: Usages, dropped: bool) -> None:
    instrument()
    there = asyncio.Event()

    class Never(http.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            there.set()
            await asyncio.get_running_loop().create_future()
            return http.Response(200, json=completion(), request=request)

    client = openai.AsyncOpenAI(base_url="http://server.invalid", api_key="none", http_client=http.AsyncClient(transport=Never()))
    if dropped:
        client._platform = "Linux"  # else a thread is asked first
        call = client.chat.completions.create(**ASK)
        while not there.is_set():
            call.send(None)  # type: ignore[attr-defined]
        call.close()  # type: ignore[attr-defined]
    else:
        task = asyncio.ensure_future(client.chat.completions.create(**ASK))
        await there.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    usages.settle()
    assert [usage.ended for usage in usages.recorded] == ["partial"]


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import json, socket
import gevent, openai, tokentrail
from tests.support.scripted import chunks, sse
from tokentrail.testing import collect_usages

listener = socket.create_server(("127.0.0.1", 0))
held = []
def begin_to_answer():
    while True:
        connection, _ = listener.accept()
        asked = connection.recv(65536)
        if b"text/event-stream" in asked or b'"stream":true' in asked.replace(b" ", b""):
            connection.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\n\\r\\n" + sse(chunks("a"), done=False)[0])
        held.append(connection)
gevent.spawn(begin_to_answer)
tokentrail.instrument()
client = openai.OpenAI(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", api_key="none", max_retries=0)

def ask(stream):
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}], stream=stream)
    for _ in answer: pass

def ask_in_time(stream):
    with gevent.Timeout(1, False):
        ask(stream)

with collect_usages() as usages:
    for stream in (False, True):
        before = len(held)
        asking = gevent.spawn(ask, stream)
        while len(held) == before: gevent.sleep(0.01)
        asking.kill()
        gevent.spawn(ask_in_time, stream).join()
    usages.settle()
    print(json.dumps([(usage.stream, usage.ended, usage.error_type) for usage in usages.recorded]))
"""


@pytest.mark.slow
def test_greenlets_that_are_killed_or_out_of_time() -> None:
    pytest.importorskip("gevent")
    killed, late = ["partial", "greenlet.GreenletExit"], ["partial", "gevent.timeout.Timeout"]
    assert run(GREENLETS) == [[False, *killed], [False, *late], [True, *killed], [True, *late]]

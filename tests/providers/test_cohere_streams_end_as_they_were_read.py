"""Cohere's streams, both versions, sync and async: one record each, however the stream ends; the caller sees what he would have seen without the hooks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import types
from collections.abc import Callable
from typing import Any

import cohere
import httpx
import pytest
from cohere.core.api_error import ApiError

from tests.support.cohere import ASK, USAGE, answer, client_at, events, events_v1, lines
from tests.support.scripted import ScriptedServer, sse
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.testing import Faults, ReplayServer, Usages

WHOLE = {"v1": lines(events_v1("lorem ", "ipsum")), "v2": sse(events("lorem ", "ipsum"))}
CUT = {"v1": lines(events_v1("lorem ", "ipsum", end=False)), "v2": sse(events("lorem ", "ipsum", end=False), done=False)}
OLD_CLOSE = contextlib.suppress(RuntimeError)
"""The streams of old versions of the SDK ignore GeneratorExit, with and without the hooks."""
VERSIONS = pytest.mark.parametrize("version", ["v1", "v2"])


def stream_of(url: str, version: str, **more: Any) -> Any:
    if version == "v1":
        return client_at(url, "Client", **more).chat_stream(message="hello", model="command-r")
    return client_at(url, **more).chat_stream(**ASK)


def stream_of_async(client: Any, version: str) -> Any:
    return client.chat_stream(message="hello", model="command-r") if version == "v1" else client.chat_stream(**ASK)


def async_client(url: str, version: str) -> Any:
    return client_at(url, "AsyncClient" if version == "v1" else "AsyncClientV2")


def told(usages: Usages) -> list[tuple[Any, ...]]:
    usages.settle()
    return [(usage.ended, usage.error_type, usage.input_tokens, usage.output_chars) for usage in usages.recorded]


@VERSIONS
def test_read_to_its_end(version: str, usages: Usages) -> None:
    with ScriptedServer(WHOLE[version]) as server:
        list(stream_of(server.url, version))
        assert told(usages) == [("complete", "", 12, 11)]
        stream = stream_of(server.url, version)
        while next(stream, None):
            pass
        stream.close()
    assert told(usages) == [("complete", "", 12, 11)] * 2
    assert usages[0].time_to_first_chunk_ns is not None


@VERSIONS
async def test_read_to_its_end_async(version: str, usages: Usages) -> None:
    with ScriptedServer(WHOLE[version]) as server:
        async with async_client(server.url, version) as client:
            assert [event async for event in stream_of_async(client, version)]
    assert told(usages) == [("complete", "", 12, 11)]


@VERSIONS
@pytest.mark.parametrize("drop", ["close", "break", "dropped in a cycle"])
def test_left_is_partial(version: str, drop: str, usages: Usages) -> None:
    with ScriptedServer(WHOLE[version]) as server:
        stream = stream_of(server.url, version)
        next(stream)
        if drop == "close":
            with OLD_CLOSE:
                stream.close()
        elif drop == "break":
            for _ in stream:
                break
        else:
            cycle = types.SimpleNamespace(stream=stream)
            cycle.itself = cycle
            del cycle
        del stream
        gc.collect()
        assert [(ended, error) for ended, error, _, _ in told(usages)] in ([("partial", "")], [("complete", "")])  # one packet may hold all of it


def test_a_finalizer_writes_no_record_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may run while its own thread holds a lock."""
    did: list[str] = []

    class Told:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: did.append(name)

    monkeypatch.setattr(recorder, "start", lambda _request: Told())
    with ReplayServer(delay=0.2) as replay:
        stream = stream_of(replay.url("cohere", recording="cohere-cohere_chat-229b48d300d6"), "v2")
        next(stream)
        del stream
        gc.collect()
    assert [name for name in did if name.startswith("finish")] == ["finish_later"]


@VERSIONS
def test_left_in_between_is_partial(version: str, usages: Usages) -> None:
    """The server waits, so that no more than the first events have come."""
    with ReplayServer(delay=0.2) as replay:
        name = {"v1": "cohere-cohere_chat-by-hand-tool-call", "v2": "cohere-cohere_chat-229b48d300d6"}[version]
        stream = stream_of(replay.url("cohere", recording=name), version)
        next(stream)
        del stream
        assert [(ended, error, into) for ended, error, into, _ in told(usages)] == [("partial", "", None)]


@VERSIONS
async def test_left_in_between_is_partial_async(version: str, usages: Usages) -> None:
    with ReplayServer(delay=0.2) as replay:
        name = {"v1": "cohere-cohere_chat-by-hand-tool-call", "v2": "cohere-cohere_chat-229b48d300d6"}[version]
        async with async_client(replay.url("cohere", recording=name), version) as client:
            stream = stream_of_async(client, version)
            await anext(stream)
            try:
                await stream.aclose()
            except RuntimeError:
                pytest.skip("the streams of this version cannot be closed")
            assert [(ended, error, into) for ended, error, into, _ in told(usages)] == [("partial", "", None)]
            usages.clear()

            async def read() -> None:
                async for _ in stream_of_async(client, version):
                    pass

            task = asyncio.create_task(read())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert [(ended, error) for ended, error, _, _ in told(usages)] == [("partial", "asyncio.exceptions.CancelledError")]


@VERSIONS
def test_never_read_is_no_call(version: str, usages: Usages) -> None:
    with ScriptedServer(WHOLE[version]) as server:
        stream_of(server.url, version)
        assert server.asked == []
    assert told(usages) == []


@VERSIONS
def test_without_its_last_event_is_partial(version: str, usages: Usages) -> None:
    with ScriptedServer(CUT[version]) as server:
        list(stream_of(server.url, version))
    assert told(usages) == [("partial", "", None, 11)]


@VERSIONS
def test_cut_is_an_error(version: str, usages: Usages) -> None:
    with ReplayServer() as replay:
        name = {"v1": "cohere-cohere_chat-by-hand-tool-call", "v2": "cohere-cohere_chat-229b48d300d6"}[version]
        with pytest.raises(httpx.RemoteProtocolError):
            list(stream_of(replay.url("cohere", recording=name, faults=Faults(cut_after=3)), version))
    assert [(ended, error) for ended, error, _, _ in told(usages)] == [("error", "httpx.RemoteProtocolError")]


@VERSIONS
def test_a_refused_stream_is_an_error(version: str, usages: Usages) -> None:
    with ScriptedServer((429, {"message": "no"})) as server:
        with pytest.raises(ApiError):
            list(stream_of(server.url, version))
        with pytest.raises(ApiError):
            client_at(server.url).chat(**ASK, request_options={"max_retries": 0})
    assert told(usages) == [("error", "429", None, None)] * 2


@VERSIONS
async def test_a_refused_stream_is_an_error_async(version: str, usages: Usages) -> None:
    with ScriptedServer((500, {"message": "no"})) as server:
        async with async_client(server.url, version) as client:
            with pytest.raises(ApiError):
                assert [event async for event in stream_of_async(client, version)]
    assert told(usages) == [("error", "500", None, None)]


def test_nobody_there_is_an_error(usages: Usages) -> None:
    with ScriptedServer({}) as server:
        url = server.url
    for ask in (lambda: list(stream_of(url, "v2")), lambda: client_at(url).chat(**ASK, request_options={"max_retries": 0})):
        with pytest.raises(httpx.ConnectError):
            ask()
    assert told(usages) == [("error", "httpx.ConnectError", None, None)] * 2


def test_a_generation_that_fails_is_read_as_it_is(usages: Usages) -> None:
    failing = [
        {"event_type": "text-generation", "is_finished": False, "text": "lorem"},
        {"event_type": "stream-error", "is_finished": True, "finish_reason": "ERROR", "err": "ipsum"},
    ]
    with ScriptedServer(lines(failing)) as server:
        list(client_at(server.url, "Client").generate_stream(prompt="hello", model="command"))
    assert told(usages) == [("error", "", None, 5)]


def raw_of(client: Any) -> Any:
    raw = getattr(client, "with_raw_response", None)
    return raw if raw is not None else pytest.skip("this version has no raw responses")


def test_raw_responses(usages: Usages) -> None:
    with ScriptedServer(answer(), WHOLE["v2"]) as server:
        raw = raw_of(client_at(server.url))
        assert raw.chat(**ASK).data.usage.billed_units.input_tokens == 12
        with raw.chat_stream(**ASK) as response:
            assert [event.type for event in response.data][-1] == "message-end"
    assert told(usages) == [("complete", "", 12, 11)] * 2


def test_an_exception_in_the_callers_block_leaves_the_stream(usages: Usages) -> None:
    with ReplayServer(delay=0.2) as replay:
        raw = raw_of(client_at(replay.url("cohere", recording="cohere-cohere_chat-229b48d300d6")))

        def fail() -> None:
            with raw.chat_stream(**ASK) as response:
                next(response.data)
                raise LookupError("the caller's")

        with pytest.raises(LookupError, match="the caller's"):
            fail()
    assert [(ended, error) for ended, error, _, _ in told(usages)] == [("partial", "")]


def test_a_page_in_place_of_events_is_an_error(usages: Usages) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, html="<html></html>"))
    seen = []
    for hooked in (True, False):
        if not hooked:
            uninstrument()
        try:
            seen.append(list(stream_of("https://api.cohere.com", "v2", httpx_client=httpx.Client(transport=transport))))
        except Exception as error:
            seen.append([type(error)])
    instrument()
    assert seen[0] == seen[1]
    assert [ended for ended, *_ in told(usages)] == ["error" if seen[0] else "partial"]


def test_switched_off_nothing_is_recorded(usages: Usages) -> None:
    with ScriptedServer(WHOLE["v2"]) as server:
        stream = stream_of(server.url, "v2")
        next(stream)
        uninstrument()
        try:
            list(stream)
            list(stream_of(server.url, "v2"))
            list(stream_of(server.url, "v1"))
        finally:
            instrument()
    assert [ended for ended, *_ in told(usages)] == ["complete"], "the stream that had begun"


@pytest.mark.parametrize(
    "function",
    [
        lambda: cohere.ClientV2.chat,
        lambda: cohere.ClientV2.chat_stream,
        lambda: cohere.AsyncClientV2.chat_stream,
        lambda: cohere.Client.chat_stream,
        lambda: cohere.Client.embed,
        lambda: cohere.Client.generate_stream,
        lambda: cohere.core.http_client.HttpClient.request,
        lambda: cohere.core.http_client.HttpClient.stream,
        lambda: cohere.core.http_client.AsyncHttpClient.request,
        lambda: cohere.core.http_client.AsyncHttpClient.stream,
    ],
)
def test_functions_look_the_same(function: Callable[[], Any]) -> None:
    def looks() -> Any:
        found = function()
        kinds = [inspect.isfunction(found), inspect.iscoroutinefunction(found), inspect.isgeneratorfunction(found), inspect.isasyncgenfunction(found)]
        return kinds, inspect.signature(found), found.__doc__, found.__name__, found.__qualname__, found.__module__

    hooked = looks()
    uninstrument()
    plain = looks()
    instrument()
    assert hooked == plain


@VERSIONS
def test_the_caller_gets_the_same(version: str) -> None:
    def seen(url: str) -> Any:
        stream = stream_of(url, version)
        kind = type(stream), stream.__name__, stream.__qualname__
        return kind, [(type(event), event.model_dump()) for event in stream]

    with ScriptedServer(WHOLE[version]) as server:
        hooked = seen(server.url)
        uninstrument()
        plain = seen(server.url)
        instrument()
    assert hooked == plain


def test_nothing_of_ours_is_sent(usages: Usages) -> None:
    one = {
        "id": "e-1",
        "embeddings": [[0.5]],
        "texts": ["lorem"],
        "response_type": "embeddings_floats",
        "meta": {"billed_units": {"input_tokens": 1}},
    }
    with ScriptedServer(one) as server:
        client = client_at(server.url, "Client")
        given: dict[str, Any] = {"texts": ["lorem"], "model": "embed-english-v3.0", "input_type": "search_document"}
        client.embed(**given, request_options={"additional_body_parameters": {"lorem": "ipsum"}, "additional_headers": {"x-lorem": "ipsum"}})
        assert server.asked[-1] == {**given, "lorem": "ipsum"}
    assert current.runtime.diagnostics.internal_errors == {}
    assert USAGE["cached_tokens"] == 208
    assert [usage.input_tokens for usage in usages.recorded] == [1]

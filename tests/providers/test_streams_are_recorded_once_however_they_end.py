"""A stream that is read to its end, closed, dropped, never read, cut, cancelled or failing is one record, with what is known by then."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import groq
import httpx
import ollama
import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, sse
from tests.support.waiting import wait_until
from tokentrail.process.current import current
from tokentrail.testing import Faults, ReplayServer, Usages
from tokentrail.tracking.decorator import track_tokens

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], "stream": True}
WITH_USAGE = {**ASK, "stream_options": {"include_usage": True}}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(sse(chunks("lorem ", "ipsum ", "dolor", usage=True))) as scripted:
        yield scripted


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(server: ScriptedServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


def assert_one(usages: Usages, ended: str, *, counted: bool) -> None:
    assert [usage.ended for usage in usages.recorded] == [ended]
    assert (usages[0].input_tokens, usages[0].output_tokens) == ((40, 11) if counted else (None, None))
    assert not current.runtime.streams


def test_read_to_its_end(client: openai.OpenAI, usages: Usages) -> None:
    for _ in client.chat.completions.create(**WITH_USAGE):
        assert not usages.recorded
    assert_one(usages, "complete", counted=True)
    assert usages[0].output_chars == len("lorem ipsum dolor")
    assert usages[0].time_to_first_chunk_ns
    assert usages[0].time_to_first_chunk_ns < usages[0].duration_ns


def test_read_with_next(client: openai.OpenAI, usages: Usages) -> None:
    stream = client.chat.completions.create(**WITH_USAGE)
    while next(stream, None):
        assert not usages.recorded
    assert_one(usages, "complete", counted=True)


def test_closed_is_recorded_when_close_returns(client: openai.OpenAI, usages: Usages) -> None:
    stream = client.chat.completions.create(**WITH_USAGE)
    next(stream)
    next(stream)
    assert not usages.recorded
    stream.close()
    assert_one(usages, "partial", counted=False)
    assert usages[0].output_chars == len("lorem ")
    stream.close()
    del stream
    gc.collect()
    assert len(usages.recorded) == 1


def test_left_by_break_inside_with(client: openai.OpenAI, usages: Usages) -> None:
    with client.chat.completions.create(**WITH_USAGE) as stream:
        for _ in stream:
            break
    assert_one(usages, "partial", counted=False)


def test_closed_before_anything_was_read(client: openai.OpenAI, usages: Usages) -> None:
    client.chat.completions.create(**WITH_USAGE).close()
    assert_one(usages, "partial", counted=False)


def test_continued_after_a_break(client: openai.OpenAI, usages: Usages) -> None:
    stream = client.chat.completions.create(**WITH_USAGE)
    for _ in stream:
        break
    assert not usages.recorded
    assert len(list(stream)) == 5
    assert_one(usages, "complete", counted=True)


def test_left_after_the_usage_is_complete(client: openai.OpenAI, usages: Usages) -> None:
    with client.chat.completions.create(**WITH_USAGE) as stream:
        for chunk in stream:
            if chunk.usage:
                break
    assert_one(usages, "complete", counted=True)


@pytest.mark.parametrize("read", [0, 1, 3])
def test_dropped(client: openai.OpenAI, usages: Usages, read: int) -> None:
    stream = client.chat.completions.create(**WITH_USAGE)
    for _ in range(read):
        next(stream)
    del stream
    gc.collect()
    usages.wait_for(1)
    assert_one(usages, "partial", counted=False)


def test_helper_read_and_left(client: openai.OpenAI, usages: Usages) -> None:
    ask = {name: value for name, value in WITH_USAGE.items() if name != "stream"}
    helper = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream  # left `beta` in openai 1.92
    with helper(**ask) as stream:
        assert stream.get_final_completion().usage.prompt_tokens == 40
    assert_one(usages, "complete", counted=True)
    with helper(**ask) as stream:
        next(stream)
    assert [usage.ended for usage in usages.recorded] == ["complete", "partial"]


def test_cut_by_the_server(replay: ReplayServer, usages: Usages) -> None:
    url = replay.url("openai", recording="openai-chat-4b74b69a2eca", faults=Faults(cut_after=2))
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    with pytest.raises((openai.APIError, httpx.HTTPError)) as caught:  # openai 1.x lets the HTTP client's own error through
        list(client.chat.completions.create(**ASK))
    assert_one(usages, "error", counted=False)
    assert usages[0].error_type.rpartition(".")[2] == type(caught.value).__name__


def test_ends_without_a_last_word(usages: Usages) -> None:
    with ScriptedServer(sse(chunks("lorem", finish=None), done=False)) as server:
        list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK))
    assert_one(usages, "partial", counted=False)


def test_two_threads_close_and_read(client: openai.OpenAI, usages: Usages) -> None:
    for _ in range(20):
        stream = client.chat.completions.create(**WITH_USAGE)
        next(stream)
        closer = threading.Thread(target=stream.close)
        closer.start()
        with contextlib.suppress(Exception):  # whatever the SDK makes of it
            list(stream)
        closer.join()
    assert len(usages.recorded) == 20


def test_many_threads(client: openai.OpenAI, usages: Usages) -> None:
    def read() -> None:
        for _ in range(5):
            list(client.chat.completions.create(**WITH_USAGE))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(usages.recorded), usages.input_tokens, usages.output_tokens) == (40, 1600, 440)


async def test_async_read_to_its_end(async_client: openai.AsyncOpenAI, usages: Usages) -> None:
    async for _ in await async_client.chat.completions.create(**WITH_USAGE):
        assert not usages.recorded
    assert_one(usages, "complete", counted=True)


async def test_async_closed(async_client: openai.AsyncOpenAI, usages: Usages) -> None:
    stream = await async_client.chat.completions.create(**WITH_USAGE)
    await stream.__anext__()
    await stream.close()
    assert_one(usages, "partial", counted=False)


async def test_async_left_by_break_inside_with(async_client: openai.AsyncOpenAI, usages: Usages) -> None:
    async with await async_client.chat.completions.create(**WITH_USAGE) as stream:
        async for _ in stream:
            break
    assert_one(usages, "partial", counted=False)


@pytest.mark.parametrize("read", [0, 2])
async def test_async_dropped(async_client: openai.AsyncOpenAI, usages: Usages, read: int) -> None:
    stream = await async_client.chat.completions.create(**WITH_USAGE)
    for _ in range(read):
        await stream.__anext__()
    del stream
    gc.collect()
    await usages.wait_for_async(1)
    assert_one(usages, "partial", counted=False)


async def test_async_cancelled_while_it_waits(replay: ReplayServer, usages: Usages) -> None:
    url = replay.url("openai", recording="openai-chat-4b74b69a2eca", faults=Faults(hang_after=2))
    got = asyncio.Event()

    async def read() -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            async for _ in await client.chat.completions.create(**ASK):
                got.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(got.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_one(usages, "partial", counted=False)


async def test_async_cancelled_before_the_answer(replay: ReplayServer, usages: Usages) -> None:
    url = replay.url("openai", recording="openai-chat-4b74b69a2eca", faults=Faults(hang_after=0))
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.chat.completions.create(**ASK), 0.2)
    assert_one(usages, "partial", counted=False)
    assert usages[0].error_type.endswith("CancelledError")


def test_async_left_to_a_loop_that_ends(server: ScriptedServer, usages: Usages, capfd: pytest.CaptureFixture[str]) -> None:
    kept = []

    async def leave() -> None:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="none")
        stream = await client.chat.completions.create(**WITH_USAGE)
        kept.append(stream)
        async for _ in stream:
            break

    asyncio.run(leave())
    kept.clear()
    gc.collect()
    usages.wait_for(1)
    assert_one(usages, "partial", counted=False)
    assert "tokentrail" not in capfd.readouterr().err


@pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai has no Responses")
def test_responses_stream_left_and_read(replay: ReplayServer, usages: Usages) -> None:
    recording = next(r for r in replay.recordings.values() if r.endpoint == "responses" and r.stream and r.expected_totals and r.provider == "openai")
    client = openai.OpenAI(base_url=replay.url("openai", recording=recording.id), api_key="none")
    stream = client.responses.create(model="m", input="hello", stream=True)
    next(stream)
    stream.close()
    assert_one(usages, "partial", counted=False)
    list(client.responses.create(model="m", input="hello", stream=True))
    with client.responses.stream(model="m", input="hello") as events:
        for _ in events:
            pass
    assert [usage.input_tokens for usage in usages.recorded] == [None, *[recording.expected_totals["input_total"]] * 2]


def test_groq_stream_left_and_read(replay: ReplayServer, usages: Usages) -> None:
    recording = next(r for r in replay.recordings.values() if r.provider == "groq" and r.stream and r.expected_totals)
    client = groq.Groq(base_url=replay.url("groq", recording=recording.id), api_key="none")
    with client.chat.completions.create(**ASK) as stream:
        next(stream)
    assert_one(usages, "partial", counted=False)
    list(client.chat.completions.create(**ASK))
    assert usages[1].input_tokens == recording.expected_totals["input_total"]


def ollama_recording(replay: ReplayServer) -> Any:
    return next(r for r in replay.recordings.values() if r.endpoint == "ollama_chat" and r.stream and r.expected_totals and r.status == 200)


def test_ollama_stream_left_dropped_and_read(replay: ReplayServer, usages: Usages) -> None:
    recording = ollama_recording(replay)
    client = ollama.Client(host=replay.url("ollama", recording=recording.id))
    ask = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    for _ in client.chat(**ask):
        break
    usages.wait_for(1)
    stream = client.chat(**ask)
    next(stream)
    stream.close()
    usages.wait_for(2)
    list(client.chat(**ask))
    assert [usage.ended for usage in usages.recorded] == ["partial", "partial", "complete"]
    assert usages[2].input_tokens == recording.expected_totals["input_total"]


def test_ollama_stream_that_is_never_read_makes_no_call(replay: ReplayServer, usages: Usages) -> None:
    client = ollama.Client(host=replay.url("ollama", recording=ollama_recording(replay).id))
    before = len(replay.served)
    stream = client.chat(model="m", messages=[{"role": "user", "content": "hello"}], stream=True)
    del stream
    gc.collect()
    assert len(replay.served) == before
    assert not usages.recorded


async def test_ollama_async_stream_left_closed_and_read(replay: ReplayServer, usages: Usages) -> None:
    client = ollama.AsyncClient(host=replay.url("ollama", recording=ollama_recording(replay).id))
    ask = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    stream = await client.chat(**ask)
    await stream.__anext__()
    await stream.aclose()
    await usages.wait_for_async(1)
    async for _ in await client.chat(**ask):
        break
    gc.collect()
    await usages.wait_for_async(2)
    assert len([chunk async for chunk in await client.chat(**ask)]) > 1
    assert [usage.ended for usage in usages.recorded] == ["partial", "partial", "complete"]


def test_spent_by_who_asked_not_by_who_reads(replay: ReplayServer, client: openai.OpenAI, usages: Usages) -> None:
    lazy = ollama.Client(host=replay.url("ollama", recording=ollama_recording(replay).id))
    with track_tokens("query", tenant_id="asked"):
        streams_made = [client.chat.completions.create(**WITH_USAGE), lazy.chat(model="m", messages=[{"role": "user", "content": "x"}], stream=True)]
    with track_tokens("chat", tenant_id="reads"):
        for stream in streams_made:
            list(stream)
    assert {usage.tenant_id for usage in usages.recorded} == {"asked"}
    assert current.runtime.diagnostics.internal_errors.get("stream") is None
    wait_until(lambda: len(usages.recorded) == 2, "both streams are recorded")

"""`with_raw_response` and `with_streaming_response` are one record each: with counts however the body is read, without if it never was."""

from __future__ import annotations

import gc
import json
from typing import Any

import groq
import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
STREAM = sse(chunks("lorem", usage=True))


EMBEDDINGS = {
    "object": "list",
    "model": "e",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


def list_recorded(usages: Usages) -> list[Any]:
    return [(usage.ended, usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) for usage in usages.recorded]


@pytest.mark.parametrize("parse", [True, False])
def test_raw(parse: bool, usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        raw = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response.create(**ASK)
        assert list_recorded(usages) == [("complete", 40, 11, 4)]
        if parse:
            assert raw.parse().usage.prompt_tokens == 40
    del raw
    gc.collect()
    assert len(usages.recorded) == 1


async def test_raw_async(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        raw = await openai.AsyncOpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response.create(**ASK)
        assert raw.parse().usage.prompt_tokens == 40
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


def test_raw_embeddings(usages: Usages) -> None:
    with ScriptedServer(EMBEDDINGS) as server:
        openai.OpenAI(base_url=server.url, api_key="none").embeddings.with_raw_response.create(model="e", input="hello")
    assert [(u.input_tokens, u.output_tokens, u.token_type, u.source) for u in usages.recorded] == [(3, None, "embedding", "reported")]


@pytest.mark.parametrize("ask_header", ["raw", "true"])
def test_raw_as_each_sdk_marks_it(ask_header: str, usages: Usages) -> None:
    """Stainless' SDKs send `raw`, openai's older wrapper `true`; openai's newer one is used for its binary answers."""
    with ScriptedServer(completion()) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        raw = client.chat.completions.create(**ASK, extra_headers={"X-Stainless-Raw-Response": ask_header})
        assert list_recorded(usages) == [("complete", 40, 11, 4)]
        assert raw.parse().usage.prompt_tokens == 40


def test_groqs_raw_is_recorded_when_it_returns(usages: Usages) -> None:
    with ScriptedServer(completion()) as server, groq.Groq(base_url=server.url, api_key="none") as client:
        raw = client.chat.completions.with_raw_response.create(**ASK)
        assert list_recorded(usages) == [("complete", 40, 11, 4)]
        assert raw.parse().usage.prompt_tokens == 40
        with client.chat.completions.with_streaming_response.create(**ASK) as response:
            assert response.parse().usage.completion_tokens == 11
    assert list_recorded(usages) == [("complete", 40, 11, 4)] * 2


async def test_groqs_raw_async(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        async with groq.AsyncGroq(base_url=server.url, api_key="none") as client:
            raw = await client.chat.completions.with_raw_response.create(**ASK)
            assert list_recorded(usages) == [("complete", 40, 11, 4)]
            assert (await raw.parse()).usage.prompt_tokens == 40
    assert len(usages.recorded) == 1


async def test_groqs_raw_embeddings(usages: Usages) -> None:
    with ScriptedServer(EMBEDDINGS) as server:
        groq.Groq(base_url=server.url, api_key="none").embeddings.with_raw_response.create(model="e", input="hello")
        await groq.AsyncGroq(base_url=server.url, api_key="none").embeddings.with_raw_response.create(model="e", input="hello")
    assert [(u.input_tokens, u.output_tokens, u.token_type, u.source) for u in usages.recorded] == [(3, None, "embedding", "reported")] * 2


def test_raw_stream_that_is_parsed(usages: Usages) -> None:
    with ScriptedServer(STREAM) as server:
        raw = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response.create(**ASK, stream=True)
        assert len(list(raw.parse())) == 4
        assert raw.parse() is raw.parse()
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


def test_raw_stream_parsed_in_one_breath(usages: Usages) -> None:
    with ScriptedServer(STREAM) as server:
        list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response.create(**ASK, stream=True).parse())
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


def test_raw_stream_read_as_lines(usages: Usages) -> None:
    with ScriptedServer(STREAM) as server:
        raw = openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response.create(**ASK, stream=True)
        assert list(raw.http_response.iter_lines())
        raw.http_response.close()
        del raw
        gc.collect()
        usages.wait_for(1)
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


def test_raw_stream_whose_events_have_several_lines(usages: Usages) -> None:
    """The lines of an event's data are one text (HTML's standard, "Server-sent events")."""
    events = [json.dumps(chunk, indent=1).splitlines() for chunk in chunks("lorem", usage=True)]
    sent = [("".join(f"data: {line}\r\n" for line in lines) + "\r\n").encode() for lines in events]
    with ScriptedServer([*sent, b"data: [DONE]\r\n\r\n"]) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        with client.chat.completions.with_streaming_response.create(**ASK, stream=True, stream_options={"include_usage": True}) as raw:
            assert raw.read()
        assert list_recorded(usages) == [("complete", 40, 11, 4)]


def test_raw_stream_whose_last_event_has_no_end(usages: Usages) -> None:
    """A server may end the body after the last word: the usage is in it."""
    *sent, last = sse(chunks("lorem", usage=True), done=False)
    with ScriptedServer([*sent, last.rstrip()]) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        with client.chat.completions.with_streaming_response.create(**ASK, stream=True, stream_options={"include_usage": True}) as raw:
            assert raw.read()
        assert list_recorded(usages) == [("complete", 40, 11, 4)]


async def test_raw_stream_async(usages: Usages) -> None:
    with ScriptedServer(STREAM) as server:
        raw = await openai.AsyncOpenAI(base_url=server.url, api_key="none").chat.completions.with_raw_response.create(**ASK, stream=True)
        assert len([chunk async for chunk in raw.parse()]) == 4
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


@pytest.mark.parametrize("read", ["parse", "json", "text", "read"])
def test_streaming_response(read: str, usages: Usages) -> None:
    with (
        ScriptedServer(completion()) as server,
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_streaming_response.create(**ASK) as response,
    ):
        assert not usages.recorded
        assert getattr(response, read)()
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


@pytest.mark.parametrize("read", ["parse", "json"])
async def test_streaming_response_async(read: str, usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="none").chat.completions.with_streaming_response.create(**ASK) as response:
            assert await getattr(response, read)()
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


@pytest.mark.parametrize("lines", [True, False])
def test_streaming_response_that_is_not_parsed(lines: bool, usages: Usages) -> None:
    with (
        ScriptedServer(completion()) as server,
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_streaming_response.create(**ASK) as response,
    ):
        if lines:
            assert list(response.iter_lines())
    assert list_recorded(usages) == [("complete", 40, 11, 4) if lines else ("partial", None, None, None)]


def test_streaming_response_parsed_into_a_stream(usages: Usages) -> None:
    with (
        ScriptedServer(STREAM) as server,
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_streaming_response.create(**ASK, stream=True) as response,
    ):
        stream = response.parse()
        assert isinstance(stream, openai.Stream)
        assert len(list(stream)) == 4
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


async def test_streaming_response_parsed_into_an_async_stream_and_left(usages: Usages) -> None:
    with ScriptedServer(STREAM) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="none")
        async with client.chat.completions.with_streaming_response.create(**ASK, stream=True) as response:
            async for _ in await response.parse():
                break
    assert list_recorded(usages) == [("partial", None, None, None)]


def test_streaming_response_that_one_parses_and_another_reads_as_lines(usages: Usages) -> None:
    with (
        ScriptedServer(STREAM) as server,
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.with_streaming_response.create(**ASK, stream=True) as response,
    ):
        response.parse()
        assert list(response.iter_lines())
    assert list_recorded(usages) == [("complete", 40, 11, 4)]


async def test_streaming_response_that_one_parses_and_another_reads_as_lines_async(usages: Usages) -> None:
    with ScriptedServer(STREAM) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="none")
        async with client.chat.completions.with_streaming_response.create(**ASK, stream=True) as response:
            await response.parse()
            assert [line async for line in response.iter_lines()]
    assert list_recorded(usages) == [("complete", 40, 11, 4)]

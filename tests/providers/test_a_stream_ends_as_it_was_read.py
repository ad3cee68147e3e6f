"""A stream is complete if it was read to the end, partial if it was left, an error if it failed: in whatever order SDK and HTTP client close it.

Each way of reading, sync and async, through openai's and groq's SDK (today's openai brings httpx2, groq httpx; both close in other moments).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import groq
import openai
import pytest

import tokentrail
from tests.support.scripted import USAGE, ScriptedServer, chunks, sse
from tokentrail.testing import Usages

MESSAGES: Any = [{"role": "user", "content": "hello"}]
ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": MESSAGES, "stream": True}

LAST_WORD = sse(chunks("lorem ", "ipsum"))
USAGE_ALONE = sse([*chunks("lorem ", "ipsum", finish=None), {**chunks()[0], "choices": [], "usage": USAGE}])
BOTH = sse(chunks("lorem ", "ipsum", usage=True))
GROQS = sse([*chunks("lorem ", "ipsum", finish=None), {**chunks()[-1], "x_groq": {"id": "req_1", "usage": USAGE}}])
AUDIO = sse(
    [
        {**chunks()[0], "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in (({"role": "assistant", "audio": {"id": "a", "data": "AAAA"}}, None), ({"audio": {"data": "AAAA"}}, None), ({}, "stop"))
    ]
)
STREAMS = {"last word": LAST_WORD, "usage alone": USAGE_ALONE, "both": BOTH, "groq's": GROQS, "audio": AUDIO}
SDKS: dict[str, tuple[Any, Any]] = {"openai": (openai.OpenAI, openai.AsyncOpenAI), "groq": (groq.Groq, groq.AsyncGroq)}


def all_of(client: Any) -> None:
    for _ in client.chat.completions.create(**ASK):
        pass


def within_with(client: Any) -> None:
    with client.chat.completions.create(**ASK) as stream:
        for _ in stream:
            pass


def by_next(client: Any) -> None:
    stream = client.chat.completions.create(**ASK)
    while next(stream, None):
        pass
    stream.close()


def kept_and_closed(client: Any) -> None:
    stream = client.chat.completions.create(**ASK)
    list(stream)
    stream.close()
    list(stream)


def raw_then_parsed(client: Any) -> None:
    list(client.chat.completions.with_raw_response.create(**ASK).parse())


def streaming_then_parsed(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        list(response.parse())


def streaming_lines(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        assert list(response.iter_lines())


def streaming_bytes(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        assert list(response.iter_bytes(7))


def streaming_text(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        assert list(response.iter_text())


def streaming_read(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        assert response.read()


def lines_to_the_last_word(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        for line in response.iter_lines():
            if line == "data: [DONE]":
                break


WHOLE = (
    all_of,
    within_with,
    by_next,
    kept_and_closed,
    raw_then_parsed,
    streaming_then_parsed,
    streaming_lines,
    streaming_bytes,
    streaming_text,
    streaming_read,
    lines_to_the_last_word,
)


async def all_of_async(client: Any) -> None:
    async for _ in await client.chat.completions.create(**ASK):
        pass


async def within_with_async(client: Any) -> None:
    async with await client.chat.completions.create(**ASK) as stream:
        async for _ in stream:
            pass


async def raw_then_parsed_async(client: Any) -> None:
    parsed = (await client.chat.completions.with_raw_response.create(**ASK)).parse()
    async for _ in await parsed if asyncio.iscoroutine(parsed) else parsed:
        pass


async def streaming_then_parsed_async(client: Any) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASK) as response:
        async for _ in await response.parse():
            pass


async def streaming_lines_async(client: Any) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASK) as response:
        assert [line async for line in response.iter_lines()]


async def streaming_read_async(client: Any) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASK) as response:
        assert await response.read()


async def lines_to_the_last_word_async(client: Any) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASK) as response:
        async for line in response.iter_lines():
            if line == "data: [DONE]":
                break


WHOLE_ASYNC = (
    all_of_async,
    within_with_async,
    raw_then_parsed_async,
    streaming_then_parsed_async,
    streaming_lines_async,
    streaming_read_async,
    lines_to_the_last_word_async,
)


def assert_whole(usages: Usages, kind: str) -> None:
    assert [usage.ended for usage in usages.recorded] == ["complete"], kind
    (usage,) = usages.recorded
    stated = (40, 11) if kind in {"usage alone", "both", "groq's"} else (None, None)
    assert (usage.input_tokens, usage.output_tokens) == stated, kind
    assert usage.output_chars == (None if kind == "audio" else len("lorem ipsum")), kind
    usages.clear()


@pytest.fixture(params=list(SDKS))
def sdk(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return SDKS[request.param]


@pytest.mark.parametrize("read", WHOLE, ids=lambda read: read.__name__)
def test_read_to_its_end_is_complete(sdk: tuple[Any, Any], read: Callable[[Any], None], usages: Usages) -> None:
    for kind, stream in STREAMS.items():
        with ScriptedServer(stream) as server, sdk[0](base_url=server.url, api_key="none", max_retries=0) as client:
            read(client)
            assert_whole(usages, kind)


@pytest.mark.parametrize("read", WHOLE_ASYNC, ids=lambda read: read.__name__)
async def test_read_to_its_end_is_complete_async(sdk: tuple[Any, Any], read: Callable[[Any], Any], usages: Usages) -> None:
    for kind, stream in STREAMS.items():
        with ScriptedServer(stream) as server:
            async with sdk[1](base_url=server.url, api_key="none", max_retries=0) as client:
                await read(client)
                assert_whole(usages, kind)


def test_a_helper_that_waits_until_all_is_done(usages: Usages) -> None:
    ask = {"model": "gpt-4o-mini", "messages": MESSAGES}
    for kind in ("last word", "both"):
        with ScriptedServer(STREAMS[kind]) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
            helper = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream
            with helper(**ask) as stream:
                stream.until_done()
                assert_whole(usages, kind)


def test_a_stream_that_was_tried_again(sdk: tuple[Any, Any], usages: Usages) -> None:
    with ScriptedServer((503, {}), (503, {}), LAST_WORD) as server:
        all_of(sdk[0](base_url=server.url, api_key="none", max_retries=2))
    assert [(usage.ended, usage.attempts) for usage in usages.recorded] == [("complete", 3)]


@pytest.fixture
def left() -> Iterator[ScriptedServer]:
    with ScriptedServer(LAST_WORD) as server:
        yield server


@pytest.mark.parametrize("chunk", [0, 1, 3])
def test_left_is_partial(sdk: tuple[Any, Any], left: ScriptedServer, chunk: int, usages: Usages) -> None:
    """Also at the last chunk with a word in it, after which the usage may have come."""
    client = sdk[0](base_url=left.url, api_key="none", max_retries=0)
    with client.chat.completions.create(**ASK) as stream:
        for number, _ in enumerate(stream):
            if number == chunk:
                break
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        for number, _ in enumerate(response.parse()):
            if number == chunk:
                break
    with client.chat.completions.with_streaming_response.create(**ASK) as response:
        for _ in response.iter_lines():
            break
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 3


async def test_left_is_partial_async(sdk: tuple[Any, Any], left: ScriptedServer, usages: Usages) -> None:
    client = sdk[1](base_url=left.url, api_key="none", max_retries=0)
    async with await client.chat.completions.create(**ASK) as stream:
        async for _ in stream:
            break
    async with client.chat.completions.with_streaming_response.create(**ASK) as response:
        async for _ in response.iter_lines():
            break
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2
    await client.close()


def test_left_at_a_chunk_that_states_all_is_complete(sdk: tuple[Any, Any], usages: Usages) -> None:
    with ScriptedServer(GROQS) as server, sdk[0](base_url=server.url, api_key="none").chat.completions.create(**ASK) as stream:
        for chunk in stream:
            if chunk.choices[0].finish_reason:
                break
    assert [(usage.ended, usage.output_tokens) for usage in usages.recorded] == [("complete", 11)]


@pytest.mark.parametrize("read", [all_of, within_with, streaming_then_parsed, streaming_lines], ids=lambda read: read.__name__)
def test_an_error_within_a_stream_is_an_error(sdk: tuple[Any, Any], read: Callable[[Any], None], usages: Usages) -> None:
    failing = sse([*chunks("lorem", finish=None), {"error": {"message": "overloaded", "type": "server_error"}}], done=False)
    with ScriptedServer(failing) as server:
        client = sdk[0](base_url=server.url, api_key="none", max_retries=0)
        if read is streaming_lines:  # the caller sees lines, and no exception
            read(client)
        else:
            with pytest.raises((openai.APIError, groq.APIError)):
                read(client)
    assert [(usage.ended, usage.output_chars) for usage in usages.recorded] == [("error", 5)]


def tool_call(arguments: str) -> dict[str, Any]:
    delta = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}],
    }
    return {**chunks()[0], "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("stream", "more", "output"),
    [
        pytest.param(LAST_WORD, {}, (0, "estimated"), id="words that had not begun"),
        pytest.param(
            LAST_WORD, {"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "mp3"}}, (None, "unknown"), id="audio was asked for"
        ),
        pytest.param(LAST_WORD, {"model": "o3-mini"}, (None, "unknown"), id="a model that thinks unseen"),
        pytest.param(LAST_WORD, {"reasoning_effort": "high"}, (None, "unknown"), id="thinking was asked for"),
        pytest.param(AUDIO, {}, (None, "unknown"), id="audio came"),
        pytest.param(sse([tool_call("")]), {}, (None, "unknown"), id="a tool call came"),
    ],
)
def test_no_words_of_a_stream_that_was_left_are_0_only_if_it_is_known_to_be_words(
    stream: list[bytes], more: dict[str, Any], output: tuple[int | None, str], usages: Usages
) -> None:
    tokentrail.configure(estimate=True)
    with (
        ScriptedServer(stream) as server,
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, extra_body=more) as answered,
    ):
        next(answered)
    usages.settle()
    (usage,) = usages
    assert (usage.output_tokens, usage.output_source) == output
    assert (usage.input_source, usage.ended) == ("estimated", "partial")


def test_an_answer_without_text_is_never_0(usages: Usages) -> None:
    tokentrail.configure(estimate=True)
    with ScriptedServer(AUDIO) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        all_of(client)
        with client.chat.completions.with_streaming_response.create(**ASK):
            pass  # nobody has looked at a byte
    usages.settle()
    assert [(usage.ended, usage.output_tokens, usage.output_source, usage.output_chars) for usage in usages] == [
        ("complete", None, "unknown", None),
        ("partial", None, "unknown", None),
    ]
    assert {usage.input_source for usage in usages} == {"estimated"}

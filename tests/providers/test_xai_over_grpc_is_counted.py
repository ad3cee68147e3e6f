"""Every way of xAI's SDK to ask a chat is one row with what the answer states; the provider is a gRPC server of the SDK's own protobufs."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import Usages

xai_sdk = pytest.importorskip("xai_sdk", reason="make test-apart installs it")
grpc = pytest.importorskip("grpc")
from xai_sdk.chat import system, user  # noqa: E402

from tests.support.xai import REASON_STOP, USAGE, answer, chunk, xai_server  # noqa: E402

STREAM = [chunk("lorem ", reasoning="hmm"), chunk("ipsum"), chunk("", reason=REASON_STOP, usage=USAGE)]
SOON: dict[str, Any] = {"interval": dt.timedelta(milliseconds=1)}


class Word(BaseModel):
    word: str


def client_at(script: Any) -> Any:
    return xai_sdk.Client(api_key="none", api_host=f"localhost:{script.port}", timeout=20)


def chat_at(script: Any, client: Any = None) -> Any:
    return (client or client_at(script)).chat.create("grok-4", messages=[system("abc"), user("de", "f")])


def async_chat_at(client: Any) -> Any:
    return client.chat.create("grok-4", messages=[system("abc"), user("de", "f")])


def async_client_at(script: Any) -> Any:
    return xai_sdk.AsyncClient(api_key="none", api_host=f"localhost:{script.port}", timeout=20)


async def close(client: Any) -> None:
    if hasattr(client, "close"):  # since version 1.4
        await client.close()


def facts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(each.endpoint, each.input_tokens, each.output_tokens, each.reasoning_tokens, each.ended) for each in usages.recorded]


WHOLE = ("chat", 32, 103, 94, "complete")


def test_sample(usages: Usages) -> None:
    with xai_server(answer()) as script:
        assert chat_at(script).sample().content == "lorem ipsum"
    assert facts(usages) == [WHOLE]
    only = usages.recorded[0]
    assert (only.provider, only.gen_ai_operation, only.operation, only.token_type) == ("x_ai", "chat", "chat", "llm")
    assert (only.request_model, only.response_model, only.response_id) == ("grok-4", "grok-4-0709", "r-1")
    assert (only.cache_read_tokens, only.image_input_tokens, only.input_chars, only.output_chars) == (6, 4, 6, 11)
    assert (only.server_address, only.server_port, only.stream) == ("localhost", script.port, False)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"reasoning_tokens": -3}, (32, 9, None)),
        ({"completion_tokens": -1}, (32, None, 94)),
        ({"prompt_tokens": -1}, (None, 103, 94)),
        ({"total_tokens": -1}, (32, 103, 94)),
        ({"cached_prompt_text_tokens": -1, "prompt_image_tokens": -1}, (32, 103, 94)),
        (dict.fromkeys(USAGE, -1), (None, None, None)),
        (dict.fromkeys(USAGE, 2**31 - 1), (2**31 - 1, 2**32 - 2, 2**31 - 1)),
    ],
)
def test_numbers_that_are_no_counts_are_not_stated(stated: dict[str, int], expected: tuple[Any, ...], usages: Usages) -> None:
    """Protobuf's numbers may be negative; no sum is made of them."""
    usage = {**USAGE, **stated}
    with xai_server(answer(usage=usage), [chunk("lorem"), chunk("", reason=REASON_STOP, usage=usage)]) as script:
        chat = chat_at(script)
        assert chat.sample().content == "lorem ipsum"
        assert [each.content for _, each in chat.stream()] == ["lorem", ""]
    assert [(each.input_tokens, each.output_tokens, each.reasoning_tokens) for each in usages.recorded] == [expected] * 2
    assert all(each.cache_read_tokens in (6, None, 2**31 - 1) and each.image_input_tokens in (4, None, 2**31 - 1) for each in usages.recorded)


def test_every_way(usages: Usages) -> None:
    with xai_server(answer(), answer("a", "b"), answer('{"word": "x"}'), answer(), answer("a", "b")) as script:
        chat = chat_at(script)
        chat.sample()
        assert [each.content for each in chat.sample_batch(2)] == ["a", "b"]
        assert chat.parse(Word)[1].word == "x"
        assert chat.defer(**SOON).content == "lorem ipsum"
        script.pending = 1
        assert [each.content for each in chat.defer_batch(2, **SOON)] == ["a", "b"]
    assert facts(usages) == [WHOLE] * 5
    assert [each.output_chars for each in usages.recorded] == [11, 2, 13, 11, 2]


async def test_every_way_async(usages: Usages) -> None:
    with xai_server(answer(), answer("a", "b"), answer('{"word": "x"}'), answer(), STREAM) as script:
        client = async_client_at(script)
        chat = async_chat_at(client)
        await chat.sample()
        await chat.sample_batch(2)
        assert (await chat.parse(Word))[1].word == "x"
        assert (await chat.defer(**SOON)).content == "lorem ipsum"
        assert [step[1].content async for step in chat.stream()] == ["lorem ", "ipsum", ""]
        script.answers = [STREAM]
        assert len([step async for step in chat.stream_batch(1)]) == 3
        await close(client)
    assert facts(usages) == [WHOLE] * 6
    assert usages.recorded[0].server_port == script.port


def test_a_stream(usages: Usages) -> None:
    with xai_server(STREAM) as script:
        steps = list(chat_at(script).stream())
        assert steps[-1][0].content == "lorem ipsum"
        list(chat_at(script).stream_batch(1))
    assert facts(usages) == [WHOLE] * 2
    assert usages.recorded[0].stream
    assert usages.recorded[0].output_chars == len("lorem ipsum") + len("hmm")


def test_the_last_usage_of_a_stream_counts(usages: Usages) -> None:
    growing = [chunk("a", usage={"prompt_tokens": 32, "completion_tokens": n, "total_tokens": 32 + n}) for n in (1, 2, 3)]
    with xai_server(growing) as script:
        list(chat_at(script).stream())
    assert facts(usages) == [("chat", 32, 3, 0, "complete")]


def test_a_stream_that_is_left_or_never_read(usages: Usages) -> None:
    with xai_server(STREAM) as script:
        client = client_at(script)
        chat_at(script, client).stream()
        stream: Iterator[Any] = chat_at(script, client).stream()
        next(stream)
        del stream
        gc.collect()
        assert facts(usages) == [("chat", None, None, None, "partial")]


async def test_an_async_stream_that_is_left(usages: Usages) -> None:
    with xai_server(STREAM) as script:
        client = async_client_at(script)
        stream: AsyncIterator[Any] = async_chat_at(client).stream()
        await stream.__anext__()
        await stream.aclose()
        await asyncio.sleep(0)
        await usages.wait_for_async(1)
        await close(client)
    assert facts(usages) == [("chat", None, None, None, "partial")]


def test_an_error(usages: Usages) -> None:
    with xai_server(grpc.StatusCode.RESOURCE_EXHAUSTED, [chunk("a"), grpc.StatusCode.INTERNAL]) as script:
        chat = chat_at(script)
        with pytest.raises(grpc.RpcError):
            chat.sample()
        with pytest.raises(grpc.RpcError):
            list(chat.stream())
    assert facts(usages) == [("chat", None, None, None, "error")] * 2
    assert all(each.error_type for each in usages.recorded)


async def test_an_answer_that_cannot_be_parsed_was_billed(usages: Usages) -> None:
    with xai_server(answer("no json")) as script:
        with pytest.raises(ValueError, match="Word"):
            chat_at(script).parse(Word)
        client = async_client_at(script)
        with pytest.raises(ValueError, match="Word"):
            await async_chat_at(client).parse(Word)
        await close(client)
    assert facts(usages) == [("chat", 32, 103, 94, "error")] * 2


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, (None, None)),
        ({}, (None, None)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "reasoning_tokens": 3, "total_tokens": 12}, (5, 7)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "reasoning_tokens": 3}, (5, 10)),
        ({"prompt_tokens": -5, "completion_tokens": 7, "total_tokens": 2}, (None, 7)),
        ({"prompt_tokens": 5}, (5, 0)),
    ],
)
def test_what_a_usage_may_state(usage: dict[str, int] | None, counts: tuple[Any, ...], usages: Usages) -> None:
    with xai_server(answer(usage=usage)) as script:
        chat_at(script).sample()
    assert [(each.input_tokens, each.output_tokens) for each in usages.recorded] == [counts]


@pytest.mark.skipif(not hasattr(xai_sdk.chat.BaseClient, "_make_chat") or not hasattr(xai_sdk.sync.chat.Chat, "compact"), reason="too old")
async def test_compaction(usages: Usages) -> None:
    from xai_sdk.proto import chat_pb2, usage_pb2

    stated = {"prompt_tokens": 50, "completion_tokens": 8, "total_tokens": 58}
    compacted = chat_pb2.CompactContextResponse(id="c-1", encrypted_content="x", usage=usage_pb2.SamplingUsage(**stated))
    with xai_server(compacted) as script:
        client = client_at(script)
        chat_at(script, client).compact()
        client.chat.compact_context("grok-4", [user("abc")])
        async_client = async_client_at(script)
        await async_chat_at(async_client).compact()
        await async_client.chat.compact_context(model="grok-4", messages=[user("abc")])
        await close(async_client)
    assert facts(usages) == [("compact", 50, 8, 0, "complete")] * 4
    assert {each.request_model for each in usages.recorded} == {"grok-4"}


@pytest.mark.skipif(not hasattr(xai_sdk.sync.chat.Client, "get_stored_completion"), reason="too old")
def test_a_stored_completion_was_counted_before(usages: Usages) -> None:
    with xai_server(answer()) as script:
        assert client_at(script).chat.get_stored_completion("r-1")[0].content == "lorem ipsum"
    assert facts(usages) == []


def test_the_caller_sees_the_same(usages: Usages) -> None:
    with xai_server(answer()) as script:
        seen = chat_at(script).sample()
        script.answers = [STREAM]
        stream = chat_at(script).stream()
        kinds, steps = (type(stream), stream.__name__, stream.__qualname__), list(stream)
        uninstrument()
        plain_stream = chat_at(script).stream()
        assert kinds == (type(plain_stream), plain_stream.__name__, plain_stream.__qualname__)
        assert [step[1].content for step in steps] == [step[1].content for step in plain_stream]
        script.answers = [answer()]
        plain = chat_at(script).sample()
        instrument()
        assert (type(seen), str(seen)) == (type(plain), str(plain))
        assert script.asked[0] == script.asked[-1]
    assert len(usages.recorded) == 2

"""Anthropic's messages count in every way that its SDK has: whole, streamed, through its stream helper, raw; cache reads and writes are input."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import anthropic
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.scripted import ScriptedServer, sse
from tokentrail.integrations.shapes.anthropic_messages import MessageEvents, read_message, texts_of_messages
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "claude-x", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
STATED = {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30, "output_tokens": 11}
HEAD = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x-20260101", "stop_sequence": None}
PROVISIONAL = {"output_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}}
COUNTED = (240, 11, 200, 30, 4)


def message(text: str = "lorem ipsum", **usage: Any) -> dict[str, Any]:
    usage = STATED | {"output_tokens_details": {"thinking_tokens": 4}} | usage
    return HEAD | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": usage}


def events(*texts: str, start: dict[str, Any] | None = None, delta: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A stream as Anthropic sends it: its start states the input and a provisional output, its delta is cumulative."""
    begun = HEAD | {"content": [], "stop_reason": None, "usage": start or STATED | PROVISIONAL}
    last = {"output_tokens": 11, "output_tokens_details": {"thinking_tokens": 4}} if delta is None else delta
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": last},
        {"type": "message_stop"},
    ]


def streamed(*texts: str, **usages: Any) -> list[bytes]:
    return sse(events(*texts, **usages), done=False, names=True)


def counts(usages: Usages) -> list[Any]:
    return [(u.ended, (u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens)) for u in usages.recorded]


@contextlib.contextmanager
def asked(*answers: Any) -> Iterator[anthropic.Anthropic]:
    with ScriptedServer(*answers) as server, anthropic.Anthropic(base_url=server.url.removesuffix("/v1"), api_key="none", max_retries=0) as client:
        yield client


@contextlib.asynccontextmanager
async def asked_async(*answers: Any) -> Any:
    with ScriptedServer(*answers) as server:
        async with anthropic.AsyncAnthropic(base_url=server.url.removesuffix("/v1"), api_key="none", max_retries=0) as client:
            yield client


def test_one_message_says_all(usages: Usages) -> None:
    with asked(message()) as client:
        client.messages.create(**ASK, system="be brief")
    (usage,) = usages.recorded
    assert counts(usages) == [("complete", COUNTED)]
    assert (usage.provider, usage.endpoint, usage.gen_ai_operation, usage.request_model) == ("anthropic", "messages", "chat", "claude-x")
    assert (usage.response_model, usage.response_id, usage.texts, usage.input_chars, usage.output_chars) == ("claude-x-20260101", "msg_1", 2, 13, 11)
    assert (usage.source, usage.stream, usage.attempts) == ("reported", False, 1)


async def test_async_and_beta(usages: Usages) -> None:
    async with asked_async(message()) as client:
        await client.messages.create(**ASK)
        await client.beta.messages.create(**ASK, betas=["x-2026-01-01"])
    assert counts(usages) == [("complete", COUNTED)] * 2


def test_streams_and_the_stream_helper(usages: Usages) -> None:
    with asked(streamed("lorem ", "ipsum")) as client:
        assert len(list(client.messages.create(**ASK, stream=True))) == 7
        with client.messages.stream(**ASK) as stream:
            assert "".join(stream.text_stream) == "lorem ipsum"
        with client.messages.stream(**ASK) as stream:
            assert stream.get_final_message().usage.output_tokens == 11
        with client.beta.messages.stream(**ASK) as stream:
            assert stream.get_final_text() == "lorem ipsum"
    assert counts(usages) == [("complete", COUNTED)] * 4
    assert {(usage.stream, usage.output_chars) for usage in usages.recorded} == {(True, 11)}


async def test_streams_and_the_stream_helper_async(usages: Usages) -> None:
    async with asked_async(streamed("lorem ", "ipsum")) as client:
        assert len([event async for event in await client.messages.create(**ASK, stream=True)]) == 7
        async with client.messages.stream(**ASK) as stream:
            assert "".join([text async for text in stream.text_stream]) == "lorem ipsum"
        async with client.beta.messages.stream(**ASK) as stream:
            assert (await stream.get_final_message()).usage.output_tokens == 11
    assert counts(usages) == [("complete", COUNTED)] * 3


def test_raw_and_streaming_raw_responses(usages: Usages) -> None:
    with asked(message()) as client:
        assert client.messages.with_raw_response.create(**ASK).parse().usage.output_tokens == 11
        with client.messages.with_streaming_response.create(**ASK) as response:
            assert response.parse().id == "msg_1"
    assert counts(usages) == [("complete", COUNTED)] * 2


def test_raw_streams_however_they_are_read(usages: Usages) -> None:
    with asked(streamed("lorem ", "ipsum")) as client:
        assert len(list(client.messages.with_raw_response.create(**ASK, stream=True).parse())) == 7
        with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
            assert [line for line in response.iter_lines() if "ipsum" in line]
        with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
            assert len(list(response.parse())) == 7
    gc.collect()
    assert counts(usages) == [("complete", COUNTED)] * 3


async def test_raw_streams_async(usages: Usages) -> None:
    async with asked_async(streamed("lorem ", "ipsum")) as client:
        raw = await client.messages.with_raw_response.create(**ASK, stream=True)
        assert len([event async for event in await raw.parse()]) == 7
        async with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
            assert [line async for line in response.iter_lines()]
    await usages.wait_for_async(2)
    assert counts(usages) == [("complete", COUNTED)] * 2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("client", "given"),
    [
        (anthropic.AnthropicFoundry, {"api_key": "none"}),
        (anthropic.AnthropicVertex, {"region": "us-east5", "project_id": "p", "access_token": "none"}),
    ],
)
def test_the_clients_for_other_clouds(client: Any, given: dict[str, Any], stream: bool, usages: Usages) -> None:
    """Vertex' client writes another path, below the function that is patched."""
    with ScriptedServer(streamed("lorem") if stream else message()) as server:
        answer = client(**given, base_url=server.url.removesuffix("/v1")).messages.create(**ASK, stream=stream)
        if stream:
            list(answer)
    assert counts(usages) == [("complete", COUNTED)]
    assert [(usage.endpoint, usage.request_model) for usage in usages.recorded] == [("messages", "claude-x")]


def test_the_last_word_on_each_count_is_the_streams(usages: Usages) -> None:
    """Tools that the server runs make the input grow; what the delta does not state stays as the start stated it; null is not stated."""
    grown = {"input_tokens": 50, "cache_read_input_tokens": 300, "cache_creation_input_tokens": None, "output_tokens": 22}
    with asked(streamed("a", delta=grown)) as client:
        list(client.messages.create(**ASK, stream=True))
    assert counts(usages) == [("complete", (380, 22, 300, 30, None))]


@pytest.mark.parametrize(("read", "characters"), [(1, None), (2, 0), (3, 6)])
def test_a_stream_that_was_left_states_its_input_alone(read: int, characters: int | None, usages: Usages) -> None:
    """The output of `message_start` is provisional; no words are none only where text has begun."""
    with asked(streamed("lorem ", "ipsum")) as client, client.messages.create(**ASK, stream=True) as stream:
        for _ in range(read):
            next(stream)
    assert counts(usages) == [("partial", (240, None, 200, 30, None))]
    assert [(u.input_source, u.output_source, u.output_chars) for u in usages.recorded] == [("reported", "unknown", characters)]


@pytest.mark.parametrize("kind", ["thinking", "redacted_thinking", "tool_use"])
def test_no_words_are_not_none_where_something_else_has_begun(kind: str, usages: Usages) -> None:
    blocks = events()
    blocks[1] = {"type": "content_block_start", "index": 0, "content_block": {"type": kind}}
    with asked(sse(blocks, done=False, names=True)) as client, client.messages.create(**ASK, stream=True) as stream:
        for _ in range(2):
            next(stream)
    assert [usage.output_chars for usage in usages.recorded] == [None]


def test_an_error_within_a_stream_keeps_what_was_spent(usages: Usages) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    with asked(sse([*events("lorem")[:4], error], done=False, names=True)) as client:
        with pytest.raises(anthropic.APIStatusError):
            list(client.messages.create(**ASK, stream=True))
        with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
            list(response.iter_lines())
    assert counts(usages) == [("error", (240, None, 200, 30, None))] * 2


def test_errors_are_recorded_and_retries_are_one_call(usages: Usages) -> None:
    refused = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    with ScriptedServer((429, refused), message(), (400, refused)) as server:
        client = anthropic.Anthropic(base_url=server.url.removesuffix("/v1"), api_key="none", max_retries=1)
        client.messages.create(**ASK)
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**ASK)
    assert [(u.ended, u.attempts, u.error_type) for u in usages.recorded] == [("complete", 2, ""), ("error", 1, "400")]


def test_what_is_parsed_was_paid_for(usages: Usages) -> None:
    class Weather(pydantic.BaseModel):
        degrees: int

    with asked(message("no JSON at all")) as client, contextlib.suppress(pydantic.ValidationError, ValueError):
        client.messages.parse(**ASK, output_format=Weather)
    assert [row[1] for row in counts(usages)] == [COUNTED]


def test_counting_and_batches_are_no_calls(usages: Usages) -> None:
    with asked({"input_tokens": 12, "id": "msgbatch_1"}) as client:
        client.messages.count_tokens(model="claude-x", messages=ASK["messages"])
        client.beta.messages.count_tokens(model="claude-x", messages=ASK["messages"])
        client.messages.batches.create(requests=[{"custom_id": "a", "params": ASK}])  # type: ignore[typeddict-item]
    assert usages.recorded == []


def test_a_compactions_tokens_are_added(usages: Usages) -> None:
    """They stand beside the totals, and nowhere in them."""
    turns = [{"type": "compaction", "input_tokens": 1000, "output_tokens": 50, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 0}]
    with asked(message(iterations=[*turns, {"type": "message", **STATED}])) as client:
        client.beta.messages.create(**ASK)
    assert counts(usages) == [("complete", (1247, 61, 207, 30, 4))]


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_cache_keeps_for_an_hour_is_a_subset_of_what_is_written(stream: bool, usages: Usages) -> None:
    kept = {"cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}
    with asked(streamed("a", start=STATED | kept | {"output_tokens": 1}) if stream else message(**kept)) as client:
        answer = client.messages.create(**ASK, stream=stream)
        if stream:
            list(answer)
    assert [(usage.cache_write_tokens, usage.cache_write_1h_tokens) for usage in usages.recorded] == [(30, 20)]


def test_texts_are_words_and_no_tools(usages: Usages) -> None:
    asked_with = ASK | {
        "system": [{"type": "text", "text": "1", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "weather", "description": "no text", "input_schema": {"type": "object"}}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "2"}, {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}}],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "no text"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "3"}]}]},
            {"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "4"}}]},
        ],
    }
    with asked(message()) as client:
        client.messages.create(**asked_with)
    assert [(usage.texts, usage.input_chars) for usage in usages.recorded] == [(4, 4)]


@pytest.mark.parametrize("odd", ["12", 12.0, True, -1, None, [1], {"a": 1}, 1.5])
def test_odd_numbers_never_reach_the_caller(odd: Any, usages: Usages) -> None:
    with asked(message(input_tokens=odd, output_tokens=odd, iterations=odd, output_tokens_details=odd)) as client:
        client.messages.create(**ASK)
    whole = int(odd) if odd == "12" or (type(odd) in {int, float} and odd == int(odd) >= 0) else None
    (usage,) = usages.recorded
    assert (usage.input_tokens, usage.output_tokens) == ((None, None) if whole is None else (whole + 230, whole))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*STATED, "type", "text", "input", "content", "delta", "usage"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON, _JSON, _JSON)
def test_any_json_is_read(one: Any, two: Any, three: Any) -> None:
    answer, _ = read_message(Body.of({"model": one, "content": two, "usage": three, "stop_reason": one}))
    assert {type(answer.input_tokens), type(answer.output_tokens)} <= {int, type(None)}
    gathered = MessageEvents({}, False)
    for kind in ("message_start", "content_block_start", "content_block_delta", "message_delta"):
        gathered.absorb(Body.of({"type": kind, "message": {"usage": one}, "content_block": two, "delta": three, "usage": two}))
        gathered.absorb(Body.of({"type": kind, "message": two, "content_block": three, "delta": one}))
    assert gathered.reading(exhausted=True)[1] in {"complete", "partial"}
    assert all(isinstance(text, str) for text in texts_of_messages({"system": one, "messages": [{"content": two}, three]}))

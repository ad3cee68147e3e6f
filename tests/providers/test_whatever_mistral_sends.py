"""Odd numbers, names and shapes in Mistral's answers: one sound record each; what is read quickly reads as it does the careful way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.mistral import ASK, answer, chunks, mistral_client
from tests.support.scripted import ScriptedServer, sse
from tokentrail.integrations.shapes.mistral import MistralChunks, read_any_chat, read_chat
from tokentrail.testing import Usages, collect_usages
from tokentrail.usage import Usage

ODD = [None, 0, -1, 12.0, 12.5, "12", True, [], {}, {"a": 1}, "", 2**63 - 1, 2**63, 10**40, 1e30, "9" * 30]
UNDERSTOOD = {0: 0, 12.0: 12, "12": 12, 2**63 - 1: 2**63 - 1}


@pytest.mark.parametrize("odd", ODD)
def test_odd_numbers_and_names(odd: Any, usages: Usages) -> None:
    usage = {"prompt_tokens": odd, "completion_tokens": 7, "total_tokens": odd, "prompt_tokens_details": odd, "connector_tokens": odd}
    with ScriptedServer(answer(usage=usage, id=odd, model=odd)) as server, mistral_client(server.url) as client, suppress(Exception):
        client.chat.complete(**ASK)
    (usage,) = usages.recorded
    understood = None if isinstance(odd, (bool, list, dict)) else UNDERSTOOD.get(odd)
    doubled = 2 * understood if understood is not None else None  # connectors' tokens are beside the prompt's
    assert usage.input_tokens == (doubled if doubled is None or doubled < 2**63 else None)
    assert usage.output_tokens == 7
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(usage), type=Usage) == usage


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "text", "usage", "delta", "type", "id", "thinking", "tool_calls", "message"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
NAMES = ("id", "model", "choices", "usage", "object", "type", "outputs", "content", "text", "error", "pages", "data", "delta", "message")
FIELDS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(NAMES, ANYTHING)
    | {"type": st.sampled_from(["message.output.delta", "function.call.delta", "transcription.done"]) | ANYTHING},
)


@pytest.fixture(scope="module")
def any_server() -> Iterator[ScriptedServer]:
    with ScriptedServer({}) as server:
        yield server


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS)
@pytest.mark.slow
def test_any_json_is_one_sound_record(any_server: ScriptedServer, fields: dict[str, Any]) -> None:
    client = mistral_client(any_server.url)
    whole: list[Callable[[], Any]] = [
        lambda: client.chat.complete(**ASK),
        lambda: client.embeddings.create(model="m", inputs="hello"),
        lambda: client.beta.conversations.start(model="m", inputs="hello"),
        lambda: client.audio.transcriptions.complete(model="m", file_url="hello"),
        lambda: client.ocr.process(model="m", document={"type": "document_url", "document_url": "hello"}),
    ]
    streams: list[Callable[[], Any]] = [
        lambda: list(client.chat.stream(**ASK)),
        lambda: list(client.beta.conversations.start_stream(model="m", inputs="hello")),
        lambda: list(client.audio.transcriptions.stream(model="m", file_url="hello")),
    ]
    for body, calls in (({**answer(), **fields}, whole), (sse([{**chunks("lorem")[1], **fields}, fields]), streams)):
        any_server.answers = [body]
        for call in calls:
            with collect_usages() as usages:
                with suppress(Exception):  # the SDK's own opinion
                    call()
                assert len(usages.recorded) == 1
                assert msgspec.msgpack.decode(msgspec.msgpack.encode(usages[0]), type=Usage) == usages[0]


class CarefulChunks(MistralChunks):
    """Chunks that are all read the careful way."""

    __slots__ = ()

    def absorb(self, chunk: Any) -> bool:
        self.take(chunk)
        return False


@settings(max_examples=200, deadline=None)
@given(fields=FIELDS, place=st.integers(0, 2), inside=FIELDS)
def test_a_tampered_chunk_reads_alike(fields: dict[str, Any], place: int, inside: dict[str, Any]) -> None:
    told = chunks("lorem", "ipsum")
    told[place + 1] |= fields
    told[place]["choices"][0]["delta"] |= inside
    readings = []
    for way in (MistralChunks, CarefulChunks):
        collected = way({"model": "m"}, False)
        for each in told:
            collected.absorb(each)
        readings.append(collected.reading(exhausted=True))
    assert readings[0] == readings[1]


@settings(max_examples=200, deadline=None)
@given(fields=FIELDS, inside=FIELDS)
def test_a_tampered_answer_reads_alike(fields: dict[str, Any], inside: dict[str, Any]) -> None:
    told = {**answer(), **fields}
    if isinstance(told["choices"], list) and told["choices"] and isinstance(told["choices"][0], dict):
        told["choices"][0]["message"] = {"content": "lorem", **inside}
    assert read_chat(told) == read_any_chat(told)

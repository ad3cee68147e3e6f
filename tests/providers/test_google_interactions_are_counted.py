"""Google's interactions are one row each, whole or in a stream; the tries of Google's SDK are attempts of one call."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import pytest
from google import genai
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.scripted import ScriptedServer, sse
from tokentrail import track_tokens
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import Usages, collect_usages
from tokentrail.usage import Usage

pytestmark = [
    pytest.mark.skipif(not hasattr(genai.Client, "interactions"), reason="older versions have no interactions"),
    pytest.mark.filterwarnings("ignore"),
]

USAGE = {
    "total_tokens": 75,
    "total_input_tokens": 40,
    "total_tool_use_tokens": 10,
    "total_cached_tokens": 32,
    "total_output_tokens": 11,
    "total_thought_tokens": 14,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 30}, {"modality": "audio", "tokens": 10}],
}
HEAD = {"id": "v1_1", "object": "interaction", "model": "gemini-2.5-flash"}
ASK: dict[str, Any] = {"model": "gemini-2.5-flash", "input": "hello"}
NO = (503, {"error": {"code": "unavailable", "message": "again"}})
CONTENT = {
    "candidates": [{"content": {"parts": [{"text": "lorem"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {"promptTokenCount": 40, "candidatesTokenCount": 11, "totalTokenCount": 51},
}


def interaction(status: str = "completed", **more: Any) -> dict[str, Any]:
    steps = [{"type": "thought", "signature": "AAAA"}, {"type": "model_output", "content": [{"type": "text", "text": "lorem ipsum"}]}]
    return {**HEAD, "status": status, "steps": steps, "usage": USAGE, **more}


def events(*texts: str, status: str = "completed") -> list[dict[str, Any]]:
    said = [{"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": text}} for text in texts]
    end = [{"event_type": "interaction.completed", "interaction": {**HEAD, "status": status, "usage": USAGE}}] if status else []
    return [{"event_type": "interaction.created", "interaction": {**HEAD, "status": "in_progress"}}, *said, *end]


def client_of(server: ScriptedServer, **more: Any) -> genai.Client:
    return genai.Client(vertexai=False, api_key="none", http_options={"base_url": server.url, "timeout": 20_000, **more})


def seen(usages: Usages) -> list[tuple[Any, ...]]:
    return [
        (u.endpoint, u.ended, u.stream, u.input_tokens, u.output_tokens, u.cache_read_tokens, u.reasoning_tokens, u.audio_input_tokens)
        for u in usages.recorded
    ]


def test_whole(usages: Usages) -> None:
    with ScriptedServer(interaction()) as server:
        client = client_of(server)
        client.interactions.create(**ASK)
    assert seen(usages) == [("interactions", "complete", False, 50, 25, 32, 14, 10)]
    assert (usages[0].response_id, usages[0].response_model, usages[0].input_chars, usages[0].output_chars) == ("v1_1", "gemini-2.5-flash", 5, 11)


def test_streams(usages: Usages) -> None:
    with ScriptedServer(sse(events("lorem ", "ipsum"), names=False)) as server:
        client = client_of(server)
        list(client.interactions.create(**ASK, stream=True))
        left = client.interactions.create(**ASK, stream=True)
        next(iter(left))
        left.close()
        server.answers = [sse(events("lorem ", status=""), done=False)]
        list(client.interactions.create(**ASK, stream=True, automatic_continuation=False))
    assert seen(usages)[0] == ("interactions", "complete", True, 50, 25, 32, 14, 10)
    assert {usage.ended for usage in usages.recorded[2:]} == {"partial"}
    assert usages[0].output_chars == 11


async def test_async(usages: Usages) -> None:
    with ScriptedServer(interaction()) as server:
        client = client_of(server).aio
        await client.interactions.create(**ASK)
        server.answers = [sse(events("lorem "))]
        async for _ in await client.interactions.create(**ASK, stream=True):
            pass
        dropped = await client.interactions.create(**ASK, stream=True)
        del dropped
        gc.collect()
        await usages.wait_for_async(3)
    assert [row[:5] for row in seen(usages)][:2] == [("interactions", "complete", False, 50, 25), ("interactions", "complete", True, 50, 25)]


def test_raw_and_streaming_responses(usages: Usages) -> None:
    with ScriptedServer(interaction()) as server:
        client = client_of(server)
        client.interactions.with_raw_response.create(**ASK)
        with client.interactions.with_streaming_response.create(**ASK) as response:
            response.read()
    assert [row[1:5] for row in seen(usages)] == [("complete", False, 50, 25)] * 2


def test_an_interaction_in_the_background_spends_nothing_before_its_end(usages: Usages) -> None:
    with ScriptedServer(interaction("in_progress", usage=None)) as server:
        client = client_of(server)
        client.interactions.create(**ASK, background=True)
        assert not usages.recorded
        client.interactions.get("v1_1")
        assert not usages.recorded
        server.answers = [sse(events("lorem"))]
        list(client.interactions.create(**ASK, background=True, stream=True))
    assert [row[1:5] for row in seen(usages)] == [("complete", True, 50, 25)]


CREATED = {"created": "2026-05-13T19:57:40Z"}
KEY = "gcp.gemini:v1_1"


async def test_an_interaction_in_the_background_counts_once_however_often_it_is_polled(usages: Usages) -> None:
    begun, done = interaction("in_progress", usage=None, **CREATED), interaction(**CREATED)
    with ScriptedServer(begun, begun, done) as server:
        client = client_of(server)
        with track_tokens(tenant_id="acme", operation="summarize"):
            client.interactions.create(**ASK, background=True)
        with track_tokens(tenant_id="poller"):
            assert client.interactions.get("v1_1").status == "in_progress"
            assert not usages.recorded
            for _ in range(3):
                assert client.interactions.get("v1_1").status == "completed"
            await client.aio.interactions.get("v1_1")
            client.interactions.with_raw_response.get("v1_1")
            server.answers = [sse(events("lorem"))]
            list(client.interactions.get("v1_1", stream=True))
    assert {usage.key for usage in usages.recorded} == {KEY}
    assert len(usages) == 1
    assert seen(usages)[0] == ("interactions", "complete", False, 50, 25, 32, 14, 10)
    first = usages[0]
    assert (first.tenant_id, first.operation, first.key_kind, first.key_time) == ("acme", "summarize", "object", 1778702260 * 10**9)
    assert (first.response_id, first.response_model, first.server_address) == ("v1_1", "gemini-2.5-flash", "127.0.0.1")


def test_a_process_that_only_polls(usages: Usages) -> None:
    with ScriptedServer(interaction("queued", usage=None, **CREATED), interaction(**CREATED)) as server, track_tokens(tenant_id="poller"):
        client = client_of(server)
        for _ in range(3):
            client.interactions.get("v1_1")
    assert {usage.key for usage in usages.recorded} == {KEY}
    assert [(usage.tenant_id, usage.input_tokens) for usage in usages] == [("poller", 50)]


def test_an_interaction_that_was_counted_when_it_was_made_is_not_counted_when_it_is_read_again(usages: Usages) -> None:
    with ScriptedServer(interaction(**CREATED)) as server:
        client = client_of(server)
        client.interactions.create(**ASK)
        client.interactions.get("v1_1")
        server.answers = [sse(events("lorem"))]
        list(client.interactions.get("v1_1", stream=True))
    assert [(usage.input_tokens, usage.key_kind) for usage in usages.recorded] == [(50, "automatic")]


def test_an_interaction_that_is_cancelled(usages: Usages) -> None:
    with ScriptedServer(interaction("in_progress", usage=None), interaction("cancelled")) as server:
        client = client_of(server)
        client.interactions.create(**ASK, background=True)
        client.interactions.cancel("v1_1")
    assert [(usage.ended, usage.input_tokens, usage.key) for usage in usages.recorded] == [("partial", 50, KEY)]


def test_the_stream_of_a_creation_that_is_left(usages: Usages) -> None:
    with ScriptedServer(sse(events("lorem ", "ipsum"), done=False), interaction()) as server:
        client = client_of(server)
        stream = client.interactions.create(**ASK, background=True, stream=True)
        next(iter(stream))
        stream.close()
        assert not usages.recorded
        client.interactions.get("v1_1")
    assert [(usage.input_tokens, usage.key) for usage in usages.recorded] == [(50, KEY)]


@pytest.mark.parametrize("answer", [(404, {"error": {"code": "not_found", "message": "no"}}), {"id": 5, "status": "in_progress"}, {"status": ["x"]}])
def test_a_poll_that_fails_is_no_call(answer: Any, usages: Usages) -> None:
    with ScriptedServer(answer) as server, suppress(Exception):
        client_of(server).interactions.get("v1_1")
    assert not usages.recorded


@pytest.mark.parametrize(
    ("status", "ended"), [("failed", "error"), ("cancelled", "partial"), ("requires_action", "complete"), ("incomplete", "complete")]
)
def test_how_an_interaction_ends(status: str, ended: str, usages: Usages) -> None:
    with ScriptedServer(interaction(status)) as server:
        client = client_of(server)
        client.interactions.create(**ASK)
        server.answers = [sse(events("lorem", status=status))]
        with suppress(Exception):
            list(client.interactions.create(**ASK, stream=True))
    assert [usage.ended for usage in usages.recorded] == [ended] * 2


def test_errors_and_tries(usages: Usages) -> None:
    with ScriptedServer(NO, interaction()) as server:
        client = client_of(server)
        client.interactions.create(**ASK)
        server.answers = [(400, {"error": {"code": "invalid", "message": "no"}})]
        with pytest.raises(Exception, match="no"):
            client.interactions.create(**ASK)
    assert [(u.ended, u.error_type, u.attempts) for u in usages.recorded] == [("complete", "", 2), ("error", "400", 1)]


RETRIES = {"retry_options": {"attempts": 4, "initial_delay": 0.001, "max_delay": 0.002}}


async def test_tries_of_generate_content(usages: Usages) -> None:
    ask: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": "hello"}
    with ScriptedServer(NO, NO, CONTENT) as server:
        client = client_of(server, **RETRIES)
        client.models.generate_content(**ask)
        server.answers = [NO, CONTENT]
        await client.aio.models.generate_content(**ask)
        server.answers = [NO, sse([CONTENT], done=False)]
        list(client.models.generate_content_stream(**ask))
        server.answers = [NO, NO, sse([CONTENT], done=False)]
        async for _ in await client.aio.models.generate_content_stream(**ask):
            pass
        server.answers = [NO]
        with pytest.raises(genai.errors.ServerError):
            client.models.generate_content(**ask)
        with pytest.raises(genai.errors.ServerError):
            list(client.models.generate_content_stream(**ask))
        assert sum(usage.attempts for usage in usages.recorded) == len(server.asked)
    assert [(u.ended, u.attempts, u.input_tokens) for u in usages.recorded] == [
        *[("complete", attempts, 40) for attempts in (3, 2, 2, 3)],
        *[("error", 4, None)] * 2,
    ]


def bare(make: Callable[[], Any]) -> Any:
    uninstrument()
    try:
        return make()
    finally:
        instrument()


def test_the_caller_sees_the_same() -> None:
    for body, more in ((interaction(), {}), (sse(events("lorem ", "ipsum")), {"stream": True}), ((400, NO[1]), {})):
        with ScriptedServer(body) as server:
            client = client_of(server)

            def outcome(call: Callable[[], Any], more: Any = more) -> Any:
                try:
                    told = call()
                    return [repr(each) for each in told] if more else (type(told), repr(told))
                except Exception as error:
                    return type(error), str(error)

            for call in (partial(client.interactions.create, **ASK, **more), partial(client.interactions.get, "v1_1", **more)):
                assert outcome(call) == bare(partial(outcome, call))


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["content", "text", "type", "tokens", "modality", "status"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ("id", "model", "status", "steps", "outputs", "interaction", "delta", "event_type", "error")
FIELDS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(NAMES, ANYTHING) | {"usage": ANYTHING | st.dictionaries(st.sampled_from(sorted(USAGE)), ANYTHING)}
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=FIELDS)
@pytest.mark.slow
def test_any_json_is_one_sound_record(fields: dict[str, Any]) -> None:
    with ScriptedServer({}) as server:
        client = client_of(server)
        for body, more in (({**interaction(), **fields}, {}), (sse([*events("lorem")[:2], {**events()[-1], **fields}]), {"stream": True})):
            server.answers = [body]
            with collect_usages() as usages:
                with suppress(Exception):  # the SDK's own opinion
                    told = client.interactions.create(**ASK, automatic_continuation=False, **more)
                    list(told)
                    del told
                gc.collect()
                usages.wait_for(1)
                assert len(usages.recorded) == 1
                assert msgspec.msgpack.decode(msgspec.msgpack.encode(usages[0]), type=Usage) == usages[0]

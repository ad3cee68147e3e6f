"""Google's interactions are one row each, whole or in a stream; the tries of Google's SDK are attempts of one call."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from google import genai
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.scripted import ScriptedServer, sse
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

            def outcome(client: Any = client, more: Any = more) -> Any:
                try:
                    told = client.interactions.create(**ASK, **more)
                    return [repr(each) for each in told] if more else repr(told)
                except Exception as error:
                    return type(error), str(error)

            assert outcome() == bare(outcome)


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

"""Images, audio, runs and sessions, whatever JSON a server makes of them: no reader raises, and what is no count is none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.sessions import SessionServer
from tokentrail.instrumentation.around import COUNTS, sanitized
from tokentrail.instrumentation.contract import Reading
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.shapes.openai_audio import AudioEvents, read_audio
from tokentrail.integrations.shapes.openai_images import ImageEvents, read_images
from tokentrail.integrations.shapes.openai_realtime import REALTIME, RealtimeEvents, TranscribedEvents
from tokentrail.integrations.shapes.openai_runs import RunEvents, read_run, texts_of_run
from tokentrail.testing import collect_usages

WORDS = [
    "type",
    "id",
    "model",
    "status",
    "object",
    "usage",
    "svg_usage",
    "text",
    "transcript",
    "delta",
    "response",
    "session",
    "data",
    "event",
    "error",
    "x_groq",
    "created_at",
    "input_tokens",
    "output_tokens",
    "prompt_tokens",
    "completion_tokens",
    "input_token_details",
    "output_tokens_details",
    "cached_tokens",
    "audio_tokens",
    "audio",
    "input",
    "transcription",
    "response_id",
    "item_id",
    "instructions",
    "thread",
    "messages",
    "additional_messages",
    "content",
    "output",
]
KINDS = [
    "thread.run",
    "completed",
    "failed",
    "response.created",
    "response.done",
    "response.output_text.delta",
    "session.created",
    "session.updated",
    "error",
    "conversation.item.input_audio_transcription.completed",
    "image_generation.completed",
    "transcript.text.done",
    "transcript.text.delta",
    "speech.audio.done",
]
LEAVES: Any = st.none() | st.booleans() | st.integers(-5, 2**65) | st.floats() | st.text(max_size=5) | st.sampled_from(KINDS)
ANYTHING: Any = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5), max_leaves=12
)
EVENTS = st.lists(st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=6), max_size=5)


def assert_sound(reading: Reading | None) -> None:
    if reading is None:
        return
    answer, ended = reading
    answer = sanitized(answer, 1)
    assert ended in {"complete", "partial", "error"}
    assert all(value is None or (type(value) is int and 0 <= value < 2**63) for value in (getattr(answer, name) for name in COUNTS))
    assert type(answer.model) is type(answer.response_id) is type(answer.object_id) is str
    assert type(answer.object_created) is int
    assert all(type(text) is str for text in answer.output_texts)


@settings(max_examples=300, deadline=None)
@given(body=ANYTHING, request=st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=5), events=EVENTS, exhausted=st.booleans())
def test_no_shape_raises(body: Any, request: dict[str, Any], events: list[Any], exhausted: bool) -> None:
    for read in (read_audio, read_images, read_run):
        assert_sound(read(body))
        assert_sound(read(Body.of(body)))
    assert all(type(text) is str for text in texts_of_run(request))
    for make in (AudioEvents, ImageEvents, RunEvents, RealtimeEvents, TranscribedEvents):
        chunks = make(request, False)
        for event in events:
            assert not chunks.absorb(event)
            assert not chunks.absorb(Body.of(event))
        assert_sound(chunks.reading(exhausted=exhausted))
    for event in events:
        REALTIME.identify(event)
        REALTIME.settings(event)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
def test_any_session(events: list[dict[str, Any]]) -> None:
    pytest.importorskip("openai.resources.beta.realtime.realtime", reason="this openai has no sessions")
    sent = [json.dumps(event) for event in events]
    with collect_usages() as usages, SessionServer(*sent) as server:
        client = openai.OpenAI(websocket_base_url=server.url, api_key="none")
        with contextlib.suppress(Exception), client.beta.realtime.connect(model="m") as connection:
            assert [connection.recv_bytes() for _ in sent] == [text.encode() for text in sent]
    assert len(usages.recorded) <= len(events)

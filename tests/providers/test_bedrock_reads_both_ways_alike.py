"""What is read quickly of Converse, since it is usual, reads as it does the careful way: of every recording, and of answers that were tampered with."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.bedrock import USAGE, conversed, message
from tests.support.require import require
from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer
from tokentrail.integrations.shapes.bedrock_models import read_invoked, texts_of_invoked
from tokentrail.integrations.shapes.bedrock_streams import InvokedMessages
from tokentrail.integrations.shapes.converse import (
    ConverseEvents,
    ConverseMessages,
    add_any_counts,
    add_counts,
    read_any_converse,
    read_converse,
    texts_of_converse,
)
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.testing import read_recordings
from tokentrail.testing.recording import SHIPPED

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "open"


def outcome_of(read: Callable[..., Any], *given: Any) -> Any:
    try:
        return read(*given)
    except Exception as error:
        return type(error)


def counts_of(add: Callable[[Answer, Any], None], usage: Any) -> Answer:
    answer = Answer()
    add(answer, fields_of(usage))
    return answer


def plain(reading: Any) -> Any:
    answer, ended = reading
    answer.finish_reasons, answer.output_texts = list(answer.finish_reasons), list(answer.output_texts)
    return sanitized(answer, 1), ended


def assert_reads_alike(body: Any) -> None:
    assert plain(read_converse(copy.deepcopy(body))) == plain(read_any_converse(copy.deepcopy(body)))
    usage = body.get("usage") if isinstance(body, dict) else None
    assert counts_of(add_counts, usage) == counts_of(add_any_counts, usage)


def messages_of(body: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return list(buffer)


def assert_streams_alike(messages: list[Any]) -> None:
    quick, careful = ConverseMessages({}, False), ConverseEvents({}, False)
    for each in messages:
        quick.absorb(each)
        careful.take(each.headers[":event-type"], fields_of(json.loads(each.payload)))
    assert plain(quick.reading(exhausted=True)) == plain(careful.reading(exhausted=True))


@pytest.mark.parametrize("folder", [SHIPPED, CORPUS], ids=["shipped", "corpus"])
def test_every_recording(folder: Path) -> None:
    if not folder.is_dir():
        require("corpus", "the unreduced recordings are not beside this checkout (../shared/corpus)")
    compared = 0
    for recording in read_recordings(folder, providers=["bedrock"]):
        if recording.endpoint == "converse" and recording.status == 200:
            if recording.stream:
                assert_streams_alike(messages_of(recording.body))
            else:
                assert_reads_alike(json.loads(recording.body))
            compared += 1
    assert compared >= 12


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_chunks_read_alike_however_many_are_decoded_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(body: bytes) -> Any:
        chunks = InvokedMessages({}, False)
        for each in messages_of(body):
            chunks.absorb(each)
        return plain(chunks.reading(exhausted=True))

    streams = [recording for recording in read_recordings(providers=["bedrock"]) if recording.stream and recording.endpoint == "invoke_model"]
    expected = [read(recording.body) for recording in streams if recording.status == 200]
    monkeypatch.setattr("tokentrail.integrations.shapes.bedrock_streams.AT_ONCE", at_once)
    assert [read(recording.body) for recording in streams if recording.status == 200] == expected
    assert len(expected) >= 5


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "content", "message", "type", "usage", "delta", "toolUse", "input", *USAGE]), inner, max_size=3)
    ),
    max_leaves=8,
)
USAGES = st.fixed_dictionaries({}, optional={**dict.fromkeys(USAGE, ANYTHING), "cacheDetails": ANYTHING, "cacheReadInputTokenCount": ANYTHING})


@settings(max_examples=300, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(["output", "usage", "stopReason", "trace"]), ANYTHING, max_size=3), usage=USAGES)
def test_tampered_answers(fields: dict[str, Any], usage: dict[str, Any]) -> None:
    assert_reads_alike(conversed() | fields)
    assert_reads_alike(conversed(usage=usage))


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(["contentBlockDelta", "metadata", "messageStop", "contentBlockStart"]), fields=ANYTHING)
@example(kind="messageStop", fields={"delta": {"text": ""}})
@example(kind="metadata", fields={"delta": {"text": "x"}, "usage": {"inputTokens": 3}})
@example(kind="contentBlockDelta", fields={"delta": {"text": "x", "toolUse": {"input": "y"}}})
@example(kind="contentBlockDelta", fields={"delta": {"toolUse": {"input": "y"}}})
@example(kind="contentBlockDelta", fields={"delta": {"toolUse": {"input": ""}}})
@example(kind="contentBlockDelta", fields={"delta": {"reasoningContent": {"text": "y"}}})
@example(kind="contentBlockDelta", fields={"delta": {"reasoningContent": {"text": "y", "reasoningText": {"text": "z"}}}})
@example(kind="messageStop", fields={"delta": {"toolUse": {"input": "y"}}})
@example(kind="contentBlockDelta", fields={"delta": [True]})
def test_tampered_events(kind: str, fields: Any) -> None:
    assert_streams_alike(messages_of(message(kind, json.dumps(fields).encode())))


@settings(max_examples=300, deadline=None)
@given(
    body=ANYTHING
    | st.dictionaries(st.sampled_from(["results", "choices", "usage", "id", "generation", "output", "stopReason", "system", "messages"]), ANYTHING)
)
def test_any_json_is_read_without_an_exception(body: Any) -> None:
    """But for that of OpenAI's shape, whose guard is the one around every reader."""
    for read in (read_converse, read_any_converse, read_invoked):
        assert sanitized(read(body)[0], 1)
    if isinstance(body, dict):
        assert all(isinstance(text, str) for texts_of in (texts_of_converse, texts_of_invoked) for text in texts_of(body))
    chunks = InvokedMessages({}, False)
    chunks.waiting = [json.dumps({"bytes": base64.b64encode(json.dumps(body).encode()).decode()}).encode()]
    assert sanitized(chunks.reading(exhausted=True)[0], 1)

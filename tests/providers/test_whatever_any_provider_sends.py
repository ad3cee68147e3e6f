"""Every shape reads whatever is sent: recorded answers that were tampered with raise nothing, and what is read of them fits a record.

`make fuzz` tries more of the same, guided by what the code has not run yet (atheris).
"""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.subjects import HOMES, Subject, subjects
from tests.support.tampering import assert_readable
from tokentrail.integrations.transports.bodies import BodyReader

BY_SHAPE: dict[tuple[str, str, bool], list[Subject]] = defaultdict(list)
for subject in subjects():
    by = f"{'litellm-' if subject.route else ''}{subject.recording.provider}"
    BY_SHAPE[by, subject.endpoint.name, subject.recording.stream].append(subject)

FOUND: tuple[tuple[str, list[int]], ...] = (
    ("bedrock-invoke_model-08ba14a7f564", [0, 0, 0, 14, 0, 49]),  # events at hand of an endpoint that has no stream
    ("litellm openai-responses-84be038eca4c", [0, 0, 2, 0, 0, 0, 0, 0, 0, 135, 4, 0, 0, 0, 1]),  # a delta without a type
    (
        "ollama-ollama_chat-by-hand-thinking",
        [
            189,
            99,
            111,
            110,
            116,
            101,
            110,
            116,
            95,
            98,
            108,
            111,
            99,
            107,
            95,
            115,
            116,
            97,
            114,
            2,
            7,
            7,
            7,
            7,
            132,
            7,
            7,
            7,
            116,
            116,
            7,
            7,
            7,
            7,
            7,
            7,
            9,
            0,
        ],
    ),
)
"""What once raised: the recording, and the numbers that changed it."""


@pytest.mark.parametrize("shape", BY_SHAPE, ids=lambda shape: f"{shape[0]}-{shape[1]}{'-stream' if shape[2] else ''}")
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, 1000), numbers=st.lists(st.integers(0, 255), max_size=40))
def test_every_shape(shape: tuple[str, str, bool], place: int, numbers: list[int]) -> None:
    assert_readable(BY_SHAPE[shape][place % len(BY_SHAPE[shape])], numbers)


def test_every_shape_with_a_recording_is_there() -> None:
    assert len(BY_SHAPE) > 100
    assert {place[0] for place in BY_SHAPE if not place[0].startswith("litellm-")} == {*HOMES, "watsonx"}


@pytest.mark.parametrize(("name", "numbers"), FOUND)
def test_what_was_found(name: str, numbers: list[int]) -> None:
    assert_readable(next(subject for subject in subjects() if str(subject) == name), numbers)


def test_a_body_that_is_too_deep_to_parse_states_nothing() -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'data: {"a":' + b"[" * 100_000 + b"\n\n"):
        reader = BodyReader(lambda _body: None, None)
        reader.absorb(body)
        answer, _ = reader.reading(exhausted=True) or pytest.fail("no reading")
        assert answer.input_tokens is None

"""Recorded answers that are tampered with, and given to each shape's reader and chunks directly: a stream of small numbers decides what is changed.

Hypothesis (`tests/providers/test_whatever_any_provider_sends.py`) and atheris (`scripts/fuzz_shapes.py`) give the numbers.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from botocore.eventstream import EventStreamBuffer

from tokentrail.instrumentation.around import COUNTS, sanitized
from tokentrail.instrumentation.contract import Endpoint, Reading
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.transports.bodies import BodyReader
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance.bodies import documents, pieces_with

HOMES = {
    "anthropic": "anthropic",
    "bedrock": "botocore",
    "cohere": "cohere",
    "google_genai": "google_genai",
    "groq": "openai",
    "mistral": "mistralai",
    "ollama": "ollama",
    "openai": "openai",
    "vertex": "google_genai",
}
"""The integrations whose endpoints read the recordings of a provider."""
BODIES = frozenset({"anthropic", "groq", "ollama", "openai"})
"""Providers whose answers are read by attribute, as their SDKs' models."""
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 12.0, 12.5, 1e30, 2**63 - 1, 2**63, 10**40, "", "12", "9" * 30, "lorem", "€"),
    *([], {}, [None], [[[]]], {"a": None}, {"usage": {"usage": None}}, [{}], {"content": [None, {"text": 3}]}, {"type": "text", "text": None}),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A recording, and the endpoint that reads it."""

    recording: Recording
    endpoint: Endpoint

    def __str__(self) -> str:
        return self.recording.id


def subjects() -> list[Subject]:
    """Every shipped recording that an endpoint of ours reads."""
    found = []
    for recording in [recording for recording in read_recordings() if recording.provider in HOMES]:
        if recording.provider == "bedrock" and recording.stream != (recording.shape == "eventstream"):
            continue  # an error in place of a stream
        home = "ollama" if recording.path.startswith("/api/") else "openai" if recording.provider == "ollama" else HOMES[recording.provider]
        constants = vars(import_module(f"tokentrail.integrations.{home}")).values()
        endpoints = {value.name: value for value in constants if isinstance(value, Endpoint) and not value.deferred}
        named = [endpoints.get(usage["endpoint"]) for usage in recording.expected_usages or ()]
        found += [Subject(recording, endpoint) for endpoint in named if endpoint is not None]
    return found


class Choices:
    """Decides by a stream of numbers; when the stream ends, by 0."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = iter(numbers)

    def below(self, limit: int) -> int:
        return next(self._numbers, 0) % max(limit, 1)

    def one_of(self, things: Sequence[Any]) -> Any:
        return things[self.below(len(things))]


def places_in(value: Any) -> Iterator[Any]:
    """Every object and list in a document, from the outside to the inside."""
    if isinstance(value, dict):
        yield value
        for each in tuple(value.values()):
            yield from places_in(each)
    elif isinstance(value, list):
        yield value
        for each in tuple(value):
            yield from places_in(each)


@lru_cache(maxsize=512)
def documents_of(name: str) -> list[Any]:
    """The documents of a recording."""
    return documents(next(recording for recording in read_recordings() if recording.id == name))


def tampered(found: list[Any], choices: Choices) -> list[Any]:
    """Changes documents, and their order, in one to four places."""
    found = copy.deepcopy(found)
    for _ in range(1 + choices.below(4)):
        number = choices.below(len(found)) if found else 0
        what = choices.below(8)
        if not found:
            found = [choices.one_of(VALUES)]
        elif what == 0:
            found[number] = copy.deepcopy(choices.one_of(VALUES))
        elif what == 1:
            found.insert(choices.below(len(found) + 1), copy.deepcopy(found[number]))
        elif what == 2:
            found.append(found.pop(number))
        elif what == 3 and len(found) > 1:
            del found[number]
        else:
            _change(list(places_in(found[number])), choices)
    return found


def _change(places: list[Any], choices: Choices) -> None:
    """Sets, removes, renames or moves something in one object or list."""
    if not places:
        return
    place = choices.one_of(places)
    value = copy.deepcopy(choices.one_of(VALUES)) if choices.below(3) else copy.deepcopy(choices.one_of(places))
    if isinstance(place, list):
        place.insert(choices.below(len(place) + 1), value)
        return
    names = list(place)
    name = (
        choices.one_of(names) if names and choices.below(8) else choices.one_of(["usage", "choices", "content", "text", "type", "delta", "unknown"])
    )
    what = choices.below(4)
    if what == 0:
        place.pop(name, None)
    elif what == 1 and name in place:
        place[choices.one_of(names)] = place.pop(name)
    else:
        place[name] = value


def assert_readable(subject: Subject, numbers: Sequence[int]) -> None:
    """Whatever was changed, nothing raises, and what is read of the answer fits a record."""
    choices = Choices(numbers)
    recording, exhausted = subject.recording, choices.below(4) > 0
    asked = choices.below(2) > 0 and subject.endpoint.asks_for_usage is not None
    request = recording.request if isinstance(recording.request, dict) else {}
    changed = tampered(documents_of(recording.id), choices)
    chunks = subject.endpoint.chunks(request, asked) if subject.endpoint.chunks is not None and recording.stream else None
    if chunks is not None:
        for item in _items(recording, changed, asked):
            assert chunks.absorb(item) in (True, False)
        assert_fits(chunks.reading(exhausted=exhausted))
    else:
        for document in changed:
            if isinstance(document, dict):
                assert_fits(subject.endpoint.read(_wrap(recording)(document)))
    if recording.provider in BODIES:
        assert_bytes_are_readable(subject, request, changed, exhausted, choices)


def assert_bytes_are_readable(subject: Subject, request: dict[str, Any], changed: list[Any], exhausted: bool, choices: Choices) -> None:
    """The same body as bytes that the SDK did not parse, in pieces that are cut anywhere, and maybe at a wrong end."""
    recording = subject.recording
    given = iter(changed)
    body = b"".join(pieces_with(recording, lambda document: next(given, document)))
    body = body[: len(body) - choices.below(40)] if choices.below(2) else body
    reader = BodyReader(
        subject.endpoint.read, subject.endpoint.chunks(request, False) if subject.endpoint.chunks is not None and recording.stream else None
    )
    size = 1 + choices.below(700)
    for start in range(0, len(body), size):
        assert reader.absorb(body[start : start + size]) is False
    assert_fits(reader.reading(exhausted=exhausted))


def _wrap(recording: Recording) -> Callable[[Any], Any]:
    return Body.of if recording.provider in BODIES else lambda document: document


def _items(recording: Recording, changed: list[Any], asked: bool) -> Iterator[Any]:
    """The events as the transport gives them: messages of AWS, objects of an SDK, JSON."""
    if recording.shape == "eventstream":
        given = iter(changed)
        buffer = EventStreamBuffer()
        buffer.add_data(b"".join(pieces_with(recording, lambda document: next(given, document))))
        yield from buffer
        return
    for document in changed:
        if isinstance(document, dict):
            yield document if asked else _wrap(recording)(document)


def assert_fits(reading: Reading | None) -> None:
    """Counts are whole numbers from 0 that 64 bits hold, names and texts are texts."""
    if reading is None:
        return
    answer, ended = reading
    answer = sanitized(answer, 1)
    assert ended in ("complete", "partial", "error")
    for name in COUNTS:
        value = getattr(answer, name)
        assert value is None or (type(value) is int and 0 <= value < 1 << 63), (name, value)
    assert type(answer.model) is str
    assert type(answer.response_id) is str
    assert all(type(reason) is str for reason in answer.finish_reasons)
    assert all(isinstance(text, str) for text in answer.output_texts), answer.output_texts
    json.dumps([answer.model, answer.response_id, list(answer.finish_reasons)])

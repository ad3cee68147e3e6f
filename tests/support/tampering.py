"""Recorded answers that are tampered with, and given to each shape's reader and chunks directly: a stream of small numbers decides what is changed.

Hypothesis (`tests/providers/test_whatever_any_provider_sends.py`) and atheris (`scripts/fuzz_shapes.py`) give the numbers.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from botocore.eventstream import EventStreamBuffer

from tests.support.subjects import BY_DICTIONARY, Subject, documents_of
from tokentrail.instrumentation.around import COUNTS, sanitized
from tokentrail.instrumentation.contract import Reading
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.transports.at_hand import opened, read_at_hand
from tokentrail.integrations.transports.bodies import BodyReader
from tokentrail.integrations.transports.events import EventReader
from tokentrail.process.current import current
from tokentrail.testing import Recording
from tokentrail.testing.conformance.bodies import pieces_with

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 12.0, 12.5, 1e30, 2**63 - 1, 2**63, 10**40, "", "12", "9" * 30, "lorem", "€"),
    *([], {}, [None], [[[]]], {"a": None}, {"usage": {"usage": None}}, [{}], {"content": [None, {"text": 3}]}, {"type": "text", "text": None}),
)


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
    exhausted = choices.below(4) > 0
    asked = choices.below(2) > 0 and subject.endpoint.asks_for_usage is not None and _takes_objects(subject)
    changed = tampered(documents_of(subject.recording.id), choices)
    if subject.route is None:
        for reading in readings_of(subject, changed, asked=asked, exhausted=exhausted):
            assert_fits(reading)
    assert_bytes_are_readable(subject, changed, exhausted, choices)


def request_of(recording: Recording) -> dict[str, Any]:
    return recording.request if isinstance(recording.request, dict) else {}


def readings_of(subject: Subject, changed: Iterable[Any], *, asked: bool = False, exhausted: bool = True) -> Iterator[Reading | None]:
    """What is read of documents: of a stream's events one reading, otherwise one of each document."""
    recording, endpoint = subject.recording, subject.endpoint
    chunks = endpoint.chunks(request_of(recording), asked) if endpoint.chunks is not None and _is_of_events(recording) else None
    if chunks is None:
        yield from (endpoint.read(_seen(subject, document)) for document in changed if _is_answer(document))
        return
    for item in _items(subject, changed, asked):
        assert chunks.absorb(item) in (True, False)
    yield chunks.reading(exhausted=exhausted)


def _is_answer(document: Any) -> bool:
    """Whether the transports pass a document to a reader: Hugging Face's generated text may be a list."""
    return isinstance(document, dict)


def _is_of_events(recording: Recording) -> bool:
    return recording.stream and recording.shape != "json"


def assert_bytes_are_readable(subject: Subject, changed: list[Any], exhausted: bool, choices: Choices) -> None:
    """The same body as bytes that no SDK has parsed, in pieces that are cut anywhere, and maybe at a wrong end; and the whole body at hand."""
    recording = subject.recording
    given = iter(changed)
    body = b"".join(pieces_with(recording, lambda document: next(given, document)))
    body = body[: len(body) - choices.below(40)] if choices.below(2) else body
    if recording.provider != "bedrock":  # AWS's frames are read by their transport, and at hand
        reader = reader_of(subject)
        size = 1 + choices.below(700)
        for start in range(0, len(body), size):
            assert reader.absorb(body[start : start + size]) is False
        assert_fits(reader.reading(exhausted=exhausted))
    if subject.at_hand is not None:
        failures = dict(current.runtime.diagnostics.internal_errors)
        assert_fits(read_at_hand(subject.at_hand, opened(body), request_of(recording), {}))
        assert current.runtime.diagnostics.internal_errors == failures, "a shape has raised"


def reader_of(subject: Subject) -> Any:
    """What reads a body's bytes where the SDK does not."""
    recording, endpoint = subject.recording, subject.endpoint
    chunks = endpoint.chunks(request_of(recording), False) if endpoint.chunks is not None and recording.stream else None
    if chunks is not None and subject.route is not None and (reader := subject.route.reader(chunks)) is not None:
        return reader
    if chunks is not None and not _takes_objects(subject) and recording.shape == "sse":
        return EventReader(chunks)
    return BodyReader(endpoint.read, chunks, deferred=endpoint.deferred)


def _takes_objects(subject: Subject) -> bool:
    return subject.endpoint.by_attribute and subject.recording.provider not in BY_DICTIONARY


def _seen(subject: Subject, document: Any) -> Any:
    return Body.of(document) if _takes_objects(subject) else document


def _items(subject: Subject, changed: Iterable[Any], asked: bool) -> Iterator[Any]:
    """The events as the transport gives them: messages of AWS, objects of an SDK, JSON."""
    recording = subject.recording
    if recording.shape == "eventstream":
        given = iter(changed)
        buffer = EventStreamBuffer()
        buffer.add_data(b"".join(pieces_with(recording, lambda document: next(given, document))))
        yield from buffer
        return
    for document in changed:
        if isinstance(document, dict):
            yield document if asked else _seen(subject, document)


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

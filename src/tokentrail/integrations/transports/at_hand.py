"""Reads an answer that is at hand (raw HTTP, a queue, a log) by the shapes that read the SDKs' answers.

| the body                                          | is read as                             |
|---------------------------------------------------|----------------------------------------|
| a dictionary; a text of one JSON object           | a whole answer                         |
| a list of dictionaries; a text of a JSON array    | the events of a stream                 |
| a text of an array of arrays or of floats         | vectors, which state nothing           |
| server-sent events, as text                       | the events of a stream                 |
| lines of JSON, as text                            | the events of a stream                 |
| AWS's frames, as bytes                            | the events of a stream                 |
| any other text (a page, half of a JSON object)    | nothing: an error, without counts      |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tokentrail.instrumentation.contract import Answer, Endpoint, Reading
from tokentrail.integrations.shapes.bedrock_models import HEADERS, add_stated
from tokentrail.integrations.shapes.json_objects import Body, parsed_json
from tokentrail.integrations.transports.aws_frames import FIRST_BYTE, events_of
from tokentrail.integrations.transports.events import EventReader
from tokentrail.recording.runtime import internal_error

__all__ = ["AtHand", "is_set", "opened", "read_at_hand"]

UNREADABLE: Final = "error"
_EVENTS: Final = re.compile(rb"^(?:\xef\xbb\xbf)?(?:data|event|id|retry)?:", re.MULTILINE).search

AtHand = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | bytes
"""A body, as text, bytes or parsed JSON."""
Opened = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A whole answer, or events: none if nothing can be read."""


def opened(body: AtHand) -> Opened:
    """Returns what a body holds. Raises `TypeError` for another type."""
    if isinstance(body, Mapping):
        return body
    if isinstance(body, (list, tuple)):
        if not all(isinstance(event, Mapping) for event in body):
            raise TypeError("body is a list of something else than dictionaries: give the events of a stream, each parsed")
        return body
    if not isinstance(body, (str, bytes, bytearray)):
        raise TypeError(f"body is JSON as a dictionary, a list of dictionaries, text or bytes, not {type(body).__name__}")
    text = body.encode(errors="surrogatepass") if isinstance(body, str) else bytes(body)
    if text[:1] == FIRST_BYTE:
        return list(events_of(text))
    value = parsed_json(text)
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        is_vectors = bool(value) and all(isinstance(item, (list, float)) for item in value)  # Hugging Face: nothing is around them
        return {"data": value} if is_vectors else [event for event in value if isinstance(event, dict)]
    if not _EVENTS(text):
        return [event for line in text.splitlines() if isinstance(event := parsed_json(line), dict)]
    events = _Kept()
    reader = EventReader(events)
    reader.absorb(text)
    reader.reading(exhausted=True)
    return events.found


class _Kept:
    """Keeps events as they are."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Any] = []

    def absorb(self, event: Any) -> bool:
        """Takes an event."""
        self.found.append(event)
        return False

    def reading(self, *, exhausted: bool) -> None:
        """Reads nothing."""


def read_at_hand(endpoint: Endpoint, body: Opened, request: Mapping[str, Any], headers: Mapping[str, str]) -> Reading | None:
    """Reads what `opened` has returned; `request` is the request's JSON, if it is known. None: nothing was spent (a job that goes on)."""
    try:
        reading, failed = _read_whole(endpoint, body) if isinstance(body, Mapping) else _read_events(endpoint, body, request)
    except Exception as failure:
        internal_error("track_response", failure)
        reading, failed = (Answer(), UNREADABLE), True
    if reading is None or reading[1] == "created":  # a job that goes on
        return None
    answer, ended = reading
    named = {name.lower(): value for name, value in headers.items()}
    add_stated(answer, named, HEADERS)
    answer.response_id = answer.response_id or named.get("x-amzn-requestid", "")
    if answer.input_tokens is not None or answer.output_tokens is not None:
        return answer, ended
    if endpoint.deferred and not failed and not answer.object_id:
        return None  # no tokens
    return answer, "error" if failed else ended


def _read_whole(endpoint: Endpoint, body: Mapping[str, Any]) -> tuple[Reading | None, bool]:
    return endpoint.read(_seen(endpoint, body)), _has_failed(body)


def _seen(endpoint: Endpoint, value: Mapping[str, Any]) -> Any:
    return Body.of(value) if endpoint.by_attribute else value if type(value) is dict else dict(value)


def _has_failed(fields: Mapping[str, Any]) -> bool:
    return bool(fields.get("error")) or fields.get("object") == "error"


def _read_events(endpoint: Endpoint, events: Sequence[Mapping[str, Any]], request: Mapping[str, Any]) -> tuple[Reading | None, bool]:
    """Reads a stream to its end. An error inside the stream ends it, whatever was stated before."""
    if not events or endpoint.chunks is None:
        return (Answer(), UNREADABLE), True
    chunks, failed = endpoint.chunks(request, False), False
    for event in events:
        failed = failed or _has_failed(event)
        chunks.absorb(_seen(endpoint, event))
    reading = chunks.reading(exhausted=True)
    return (reading[0], "error") if reading is not None and failed else reading, failed


def is_set(field: str, body: Opened, request: Mapping[str, Any]) -> bool:
    """Whether a field of the request is true, by the request, or by what the answer repeats of the request."""
    repeated = (body,) if isinstance(body, Mapping) else body
    places = [place for each in repeated for place in (each, each.get("response"), each.get("interaction"))]
    return any(isinstance(place, Mapping) and place.get(field) for place in (request, *places))

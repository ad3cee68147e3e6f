"""Server-sent events read as their bytes say, wherever the network cuts them, and however many are read at once."""

from __future__ import annotations

from typing import Any

import pytest

from tokentrail.integrations.transports import events
from tokentrail.integrations.transports.events import EventReader


class Kept:
    """Chunks that are kept."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def absorb(self, chunk: Any) -> bool:
        self.events.append(chunk)
        return False

    def reading(self, *, exhausted: bool) -> Any:
        return self.events, "complete" if exhausted else "partial"


STREAMS = {
    "usual": (b'data: {"a":1}\n\ndata: {"a":2}\n\ndata: [DONE]\n\n', [{"a": 1}, {"a": 2}], "complete"),
    "after the last word": (b'data: {"a":1}\n\ndata: [DONE]\n\ndata: {"a":2}\n\n', [{"a": 1}], "complete"),
    "no last word": (b'data: {"a":1}\n\ndata: {"a":2}', [{"a": 1}], "partial"),
    "names and comments": (b': hello\nevent: x\nid: 1\ndata: {"a":1}\n\nretry: 3\n\n', [{"a": 1}], "partial"),
    "carriage returns": (b'data: {"a":1}\r\n\r\ndata:{"a":2}\r\rdata: {"a":3}\r\r', [{"a": 1}, {"a": 2}, {"a": 3}], "partial"),
    "several lines": (b'data: {"a":\ndata: 1}\n\ndata: {"a":2}\n\n', [{"a": 1}, {"a": 2}], "partial"),
    "no JSON": (b'data: lorem\n\ndata: {"a":2}\n\ndata: 7\n\ndata:\n\n', [{"a": 2}], "partial"),
    "a mark before": (b'\xef\xbb\xbfdata: {"a":1}\n\n', [{"a": 1}], "partial"),
    "nothing": (b"", [], "partial"),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("at_once", [0, 3, 64])
def test_events_read_as_the_bytes_say(name: str, size: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the network cuts them, and however many are read at once."""
    text, expected, ended = STREAMS[name]
    monkeypatch.setattr(events, "AT_ONCE", at_once)
    reader = EventReader(Kept())  # type: ignore[arg-type]
    for start in range(0, len(text), size):
        reader.absorb(text[start : start + size])
    assert reader.reading(exhausted=False) == (expected, ended)


def test_the_bodys_end_ends_the_last_event() -> None:
    reader = EventReader(Kept())  # type: ignore[arg-type]
    reader.absorb(b'data: {"a":1}\n\ndata: {"a":2}')
    assert reader.reading(exhausted=True) == ([{"a": 1}, {"a": 2}], "complete")


def test_a_giant_event_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_BYTES", 1000)
    monkeypatch.setattr(events, "AT_ONCE", 3)
    monkeypatch.setattr(events, "MANY_BYTES", 500)
    reader = EventReader(Kept())  # type: ignore[arg-type]
    for part in (b'data: {"a":1}\n\n', b'data: {"b":"', *[b"x" * 100] * 50, b'"}\n\n', b'data: {"a":2}\n\n'):
        reader.absorb(part)
    assert reader.reading(exhausted=True)[0] == [{"a": 1}, {"a": 2}]  # type: ignore[comparison-overlap,index]

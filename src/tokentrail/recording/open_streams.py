"""The streams that are not recorded yet."""

from __future__ import annotations

import weakref
from typing import Protocol

__all__ = ["OpenStreams"]


class Stream(Protocol):
    """A stream that is followed while the caller reads it."""

    def end(self) -> None:
        """Record the stream with what is known."""


class OpenStreams:
    """Weak references to the streams that are not recorded yet. The caller that takes a stream out records it: that is what makes it once."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[int, weakref.ref[Stream]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: Stream) -> None:
        """Note a stream that begins."""
        self._open[id(stream)] = weakref.ref(stream)

    def take(self, stream: Stream) -> bool:
        """Take a stream out: true for the one caller that is to record it."""
        return self._open.pop(id(stream), None) is not None

    def end_all(self) -> None:
        """Record every stream with what is known, at the process's end."""
        for ref in list(self._open.values()):
            stream = ref()
            if stream is not None:
                stream.end()

    def forget(self) -> None:
        """Own none, in a forked child: all of them are the parent's."""
        self._open.clear()

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
    """Weak references to the streams that are not recorded yet, by the stream's `id()`.

    A stream puts itself into `refs` when it begins. The caller that takes it out (`pop`, which is atomic) records it: that is what makes it once.
    """

    __slots__ = ("refs",)

    def __init__(self) -> None:
        self.refs: dict[int, weakref.ref[Stream]] = {}

    def __len__(self) -> int:
        return len(self.refs)

    def end_all(self) -> None:
        """Record every stream with what is known, at the process's end."""
        for ref in list(self.refs.values()):
            stream = ref()
            if stream is not None:
                stream.end()

    def forget(self) -> None:
        """Own none, in a forked child: all of them are the parent's."""
        self.refs.clear()

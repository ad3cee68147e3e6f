"""Streams that are not recorded yet."""

from __future__ import annotations

import gc
import weakref
from typing import Protocol

__all__ = ["OpenStreams"]


class Stream(Protocol):
    """A stream that is followed while the caller reads."""

    def end(self) -> None:
        """Records the stream with the counts so far."""


class OpenStreams:
    """Weak references to the streams that are not recorded yet, by the stream's `id()`.

    A stream adds itself to `refs` at its start. The caller that removes the reference (`pop`, which is atomic) records the stream: exactly once.
    """

    __slots__ = ("refs",)

    def __init__(self) -> None:
        self.refs: dict[int, weakref.ref[Stream]] = {}

    def __len__(self) -> int:
        return len(self.refs)

    def end_abandoned(self) -> None:
        """Records the streams that no caller refers to any more: an SDK's stream is a cycle, which the garbage collector alone frees."""
        if self.refs:
            gc.collect()

    def end_all(self) -> None:
        """Records every stream with the counts so far, at the end of the process."""
        for ref in list(self.refs.values()):
            stream = ref()
            if stream is not None:
                stream.end()

    def forget(self) -> None:
        """Removes all references in a forked child: the streams are the parent's."""
        self.refs.clear()

"""Replaces methods of one response of an HTTP client, without a reference from the response to itself.

A function that replaces a method in the object's own attributes holds the object, and so a body and its socket stay until the garbage collector
runs. Here the response gets a class of its own, a subclass of the client's: the replaced methods are in the class, and the response's attributes
hold the follower alone, which does not refer to the response. When the last reference to the response is gone, the follower goes too, and records.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

import wrapt

from tokentrail.instrumentation.streams import FollowedStream
from tokentrail.recording.runtime import internal_error

__all__ = ["Follower", "close", "closed_async", "follow_close", "follower_of", "give_back", "replace_methods"]

ATTRIBUTE: Final = "_tokentrail_follower"
Replacement = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Returns a method, from the method that it replaces."""


class Follower:
    """The stream that is recorded when its response ends."""

    __slots__ = ("followed",)

    def __init__(self, followed: FollowedStream) -> None:
        self.followed = followed

    def is_open(self) -> bool:
        """Whether the stream is not recorded yet."""
        return id(self.followed) in self.followed.streams

    def closed(self, *, later: bool) -> None:
        """Records a stream that the caller closes between two steps; `later`: from a finalizer."""
        try:
            if not self.followed.stepping:
                self.followed.end(later=later)
        except Exception as failure:
            internal_error("stream", failure)


def follow_close(raw: Any, followed: FollowedStream) -> None:
    """Records a stream when the caller closes its response."""
    replace_methods(raw, Follower(followed), close=close)


def replace_methods(raw: Any, follower: Follower, **replacements: Replacement) -> None:
    """Gives a response a class of its own, until `give_back`."""
    raw = _unwrapped(raw)
    vars(raw)[ATTRIBUTE] = follower
    kind: Any = type(raw)
    raw.__class__ = _followed_class(kind, tuple(replacements.items()))


def follower_of(raw: Any) -> Any:
    """Returns the follower of a response; None if the response is not followed any more."""
    return vars(raw).get(ATTRIBUTE)


def give_back(raw: Any) -> None:
    """Restores the class of a response."""
    if vars(raw).pop(ATTRIBUTE, None) is not None:
        raw.__class__ = type(raw).__base__


def close(method: Callable[..., Any]) -> Callable[..., Any]:
    """The replacement of `close`."""

    @wraps(method)
    def close_and_record(raw: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(raw, *args, **kwargs)
        finally:
            _record_close(raw)

    return close_and_record


def closed_async(method: Callable[..., Any]) -> Callable[..., Any]:
    """The replacement of `aclose`."""

    @wraps(method)
    async def close_and_record(raw: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(raw, *args, **kwargs)
        finally:
            _record_close(raw)

    return close_and_record


def _record_close(raw: Any) -> None:
    follower = follower_of(raw)
    if follower is not None:
        follower.closed(later="_finalizing" in vars(raw))  # set by the finalizer of `io.IOBase`, which closes
        if not follower.is_open():
            give_back(raw)


def _unwrapped(raw: Any) -> Any:
    """Returns the client's own response: older versions of aiobotocore have a proxy of it."""
    while isinstance(raw, wrapt.ObjectProxy):
        raw = raw.__wrapped__
    return raw


@lru_cache(64)
def _followed_class(kind: type, replacements: tuple[tuple[str, Replacement], ...]) -> type:
    methods = {name: replacement(getattr(kind, name)) for name, replacement in replacements if hasattr(kind, name)}
    return type(
        kind.__name__,
        (kind,),
        {"__slots__": (), "__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__, **methods},
    )

"""A call of an SDK that the kit makes, and the steps of a synchronous or an asynchronous client, one at a time."""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tokentrail.testing.recording import Recording

__all__ = ["Case", "Steps"]


@dataclass(frozen=True, slots=True)
class Case:
    """One call: the recording that answers, the kind of client, the retries that the client may make, and the style of the call.

    The style is "" for the SDK's usual way, or a name of `Conformance.styles`: raw responses, helpers of streams, and the like.
    """

    recording: Recording
    asynchronous: bool = False
    retries: int = 0
    style: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """The recorded request's body, as a copy; empty if the request has none."""
        return copy.deepcopy(self.recording.request) if isinstance(self.recording.request, dict) else {}

    @property
    def stream(self) -> bool:
        """Whether the answer is a stream."""
        return self.recording.stream

    def __str__(self) -> str:
        return "-".join(filter(None, (self.recording.id, "async" if self.asynchronous else "sync", self.style)))


class Steps:
    """Runs the steps of a client in one thread: those of an asynchronous client in one task of one loop, as an application would."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._loop = asyncio.new_event_loop() if asynchronous else None
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._task = self._loop.create_task(self._work()) if self._loop is not None else None

    async def _work(self) -> None:
        while True:
            awaitable, done = await self._queue.get()
            try:
                result = await awaitable
            except BaseException as error:
                done.set_exception(error)
                del error
            else:
                done.set_result(result)
                del result
            del awaitable, done

    def wait(self, value: Any) -> Any:
        """Returns the value, or the result of an awaitable."""
        if not inspect.isawaitable(value):
            return value
        if self._loop is None:
            raise TypeError(f"a synchronous client returned an awaitable: {value!r}")
        done = self._loop.create_future()
        self._queue.put_nowait((value, done))
        del value
        return self._loop.run_until_complete(done)

    def make(self, maker: Callable[[], Any]) -> Any:
        """Returns what the maker returns, called in the loop: some clients belong to the loop in which they are made."""
        if self._loop is None:
            return maker()

        async def made() -> Any:
            return maker()

        return self.wait(made())

    def idle(self) -> None:
        """Lets the loop do what is due, as closing generators that were dropped."""
        if self._loop is not None:
            for _ in range(5):
                self.wait(asyncio.sleep(0))

    def enter(self, thing: Any) -> tuple[Any, Callable[[], Any]]:
        """Enters a client or a stream; returns what the caller works with, and what leaves it again."""
        if self.asynchronous and hasattr(thing, "__aenter__"):
            return self.wait(thing.__aenter__()), lambda: self.wait(thing.__aexit__(None, None, None))
        if not self.asynchronous and hasattr(thing, "__enter__"):
            return thing.__enter__(), lambda: thing.__exit__(None, None, None)
        return thing, lambda: self.close(thing)

    def close(self, thing: Any) -> bool:
        """Closes a client or a stream by the method that it has; returns whether it has one."""
        for name in ("aclose", "close") if self.asynchronous else ("close",):
            method = getattr(thing, name, None)
            if callable(method):
                self.wait(method())
                return True
        return False

    def iterate(self, stream: Any) -> Iterator[Any]:
        """Yields the items of a stream, each when it is asked for."""
        if not hasattr(stream, "__aiter__") or (not self.asynchronous and hasattr(stream, "__iter__")):  # some streams are both
            yield from stream
            return
        items = stream.__aiter__()
        while True:
            try:
                item = self.wait(items.__anext__())
            except StopAsyncIteration:
                return
            yield item

    def end(self) -> None:
        """Ends the loop."""
        if self._loop is None or self._task is None:
            return
        with suppress(RuntimeError):
            self.idle()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

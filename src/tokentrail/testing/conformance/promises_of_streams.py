"""Promises of streams: items come when they arrive; a stream that is closed, dropped, left or cancelled is one row, and hangs up as it would."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

from tokentrail.testing.conformance.bodies import pieces_of_half
from tokentrail.testing.conformance.case import Case, Steps
from tokentrail.testing.conformance.kit import Kit, promise
from tokentrail.testing.conformance.records import rows
from tokentrail.testing.conformance.stage import PATIENCE, Stage
from tokentrail.testing.usages import Usages

__all__ = ["PromisesOfStreams"]


class _LeftError(Exception):
    """An exception of the caller's own, within a stream."""


class PromisesOfStreams(Kit):
    """Tests of streams that are held, and left in the middle."""

    def test_items_come_when_they_arrive(self, stage: Stage, streamed: Case) -> None:
        """The order of events is the SDK's: what has arrived can be read while the server sends no more, and no request is sent earlier or later."""
        middle = len(streamed.recording.chunks) // 2
        self.play(stage, streamed, cut_after=middle)
        arrived = len(self.look(stage, streamed, copies=False).items)  # the SDK itself may look ahead

        def read() -> Any:
            self.play(stage, streamed, hold_after=middle)
            with self.calling(stage, streamed) as (client, steps):
                items = steps.iterate(self.items(steps.wait(self.ask(client, streamed)), streamed))
                asked = self.requests_so_far(stage, streamed, steps)
                try:
                    first = [type(next(items)) for _ in range(arrived)]
                except Exception:
                    if not stage.gave_up:
                        raise
                    return asked, [], 0, True
                late = stage.gave_up
                stage.go.set()
                return asked, first, len(list(items)), late

        bare = read()
        promise(not bare[3], "the server gave up holding the answer: the SDK itself waits for more than what has arrived")
        with self.hooked(stage, streamed):
            hooked = read()
            promise(not hooked[3], f"the first {arrived} items came only after more had arrived: the stream is not lazy any more")
        promise(bare == hooked, f"requests before the first item, first items, further items: {bare[:3]} without tokentrail, {hooked[:3]} with it")

    def test_a_stream_that_is_closed_is_one_row(self, stage: Stage, streamed: Case) -> None:
        """`close()` after the first item; then the connection is as without tokentrail. A second `close()` changes nothing."""

        def leave(steps: Steps, stream: Any, _items: Any) -> bool:
            return steps.close(stream) and steps.close(stream)

        self._assert_left_alike(stage, streamed, leave)

    def test_a_stream_that_is_dropped_is_one_row(self, stage: Stage, streamed: Case) -> None:
        """Nobody refers to the stream any more after the first item."""
        self._assert_left_alike(stage, streamed, lambda _steps, _stream, _items: False)

    def test_a_stream_that_is_left_by_an_exception_is_one_row(self, stage: Stage, streamed: Case) -> None:
        """The caller's own exception, within `with` where the stream has one, is the caller's, and no error of the provider."""

        def leave(steps: Steps, stream: Any, _items: Any) -> bool:
            error = _LeftError("the caller's own")
            for name in ("__aexit__",) if steps.asynchronous else ("__exit__",):
                if hasattr(stream, name):
                    promise(not steps.wait(getattr(stream, name)(_LeftError, error, None)), "the caller's own exception was swallowed")
                    return True
            return steps.close(stream)

        self._assert_left_alike(stage, streamed, leave)

    def test_a_stream_that_was_read_and_is_closed_is_one_row(self, stage: Stage, streamed: Case) -> None:
        """Closing a stream after its end, and reading on, adds no row, and the row says that the stream is complete."""
        self.play(stage, streamed)
        with self.hooked(stage, streamed) as usages:
            with self.calling(stage, streamed) as (client, steps):
                stream = self.items(steps.wait(self.ask(client, streamed)), streamed)
                items = steps.iterate(stream)
                read = len(list(items))
                read_on = len(list(items))
                steps.close(stream)
            ended = [usage.ended for usage in usages.recorded]
        promise(read > 0, "the stream has no items")
        promise(read_on == 0, "a stream that was read to its end went on")
        promise(ended == ["complete"], f"one row of a stream that was read to its end: {rows(usages)}")

    def test_a_stream_that_is_cancelled_is_one_row(self, stage: Stage, streamed: Case) -> None:
        """The task is cancelled while it waits for an item: the caller gets its `CancelledError`, and the row is no error of the provider."""
        if not streamed.asynchronous:
            return
        self.play(stage, streamed, hold_after=len(streamed.recording.chunks) // 2)
        with self.hooked(stage, streamed) as usages:
            with self.calling(stage, streamed) as (client, steps):
                cancelled = steps.wait(self._cancel(stage, client, streamed))
                steps.idle()
            found = [usage.ended for usage in usages.recorded]
        promise(cancelled, "the task that waits for the stream was cancelled, and did not end with CancelledError")
        promise(found == self._rows_of_the_left(), f"a stream that was cancelled is one partial row (`partial_rows`): {rows(usages)}")

    def _rows_of_the_left(self) -> list[str]:
        return ["partial"] if self.partial_rows else []

    async def _cancel(self, stage: Stage, client: Any, case: Case) -> bool:
        async def read() -> None:
            answer = self.ask(client, case)
            async for _ in self.items(await answer if asyncio.iscoroutine(answer) else answer, case):  # type: ignore[attr-defined]
                pass

        task = asyncio.ensure_future(read())
        while not stage.holding.is_set() and not task.done():  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # the task reads what has arrived
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    def _assert_left_alike(self, stage: Stage, case: Case, leave: Callable[..., bool]) -> None:
        bare = self._hangs_up(stage, case, leave)
        with self.hooked(stage, case) as usages:
            hooked = self._hangs_up(stage, case, leave, usages)
            found = [usage.ended for usage in usages.recorded]
        promise(found == self._rows_of_the_left(), f"a stream that was left after its first item is one partial row (`partial_rows`): {rows(usages)}")
        promise(bare == hooked, f"the client hangs up after that: {bare} without tokentrail, {hooked} with it")

    def _hangs_up(self, stage: Stage, case: Case, leave: Callable[..., bool], usages: Usages | None = None) -> bool:
        """Reads the first item while the server holds the second half, and leaves the stream; returns whether the client then hangs up.

        An SDK may take all that has arrived at once: of what was held the row can know nothing.
        """
        self.play(stage, case, hold_after=pieces_of_half(case.recording))
        with self.calling(stage, case) as (client, steps):
            stream = self.items(steps.wait(self.ask(client, case)), case)
            items = steps.iterate(stream)
            next(items)
            if not stage.holding.wait(PATIENCE):
                raise AssertionError("the server has not sent the first half")
            is_closed = leave(steps, stream, items)
            steps.idle()  # what the SDK's own `close` drops, the loop closes at its next step
            if is_closed and usages is not None and self.partial_rows:
                promise(len(usages.recorded) == 1, f"a stream that is closed is recorded then, and not when it is dropped: {rows(usages)}")
            items.close()  # type: ignore[attr-defined]
            del stream, items
            gc.collect()
            steps.idle()
            deadline = time.monotonic() + 0.5
            while not stage.hung_up.is_set() and time.monotonic() < deadline:
                steps.idle()
                time.sleep(0.005)
            hung_up = stage.hung_up.is_set()
            stage.go.set()
        return hung_up

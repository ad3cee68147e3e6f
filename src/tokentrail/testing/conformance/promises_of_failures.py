"""Promises of what fails: errors of providers and connections are one row, retries are attempts, the integration's own exceptions stay inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tokentrail.instrumentation.contract import Exchange, Hook
from tokentrail.instrumentation.streams import FollowedStream
from tokentrail.testing.conformance.case import Case
from tokentrail.testing.conformance.kit import Kit, promise
from tokentrail.testing.conformance.records import rows
from tokentrail.testing.conformance.seen import difference
from tokentrail.testing.conformance.stage import Stage

__all__ = ["PromisesOfFailures", "broken_hooks"]


class PromisesOfFailures(Kit):
    """Tests of errors, retries, and a broken integration."""

    @pytest.mark.parametrize("fault", [{"status": 500}, {"status": 429}, {"cut_after": 0}], ids=["500", "429", "no answer"])
    def test_an_error_is_one_row_and_the_callers(self, stage: Stage, plain: Case, fault: dict[str, int]) -> None:
        """The exception is the SDK's own, from the SDK's own frames; the row says that the call failed, and states no counts.

        Of a provider's job an error tells nothing: whoever asks for the job again may find that it has ended well. So it is no row.
        """
        pieces = [b'{"error": {"message": "lorem", "type": "ipsum", "code": 1, "status": "DOLOR"}, "message": "lorem"}']

        def play() -> None:
            self.play(stage, plain, pieces, content_type="application/json", **fault)

        play()
        bare = self.look(stage, plain)
        promise(bare.error is not None, "the SDK raises nothing for an error of the provider")
        play()
        with self.hooked(stage, plain) as usages:
            hooked = self.look(stage, plain)
            found = [(usage.ended, bool(usage.error_type), usage.input_tokens, usage.output_tokens) for usage in usages.recorded]
        different = difference(bare, hooked)
        promise(not different, f"the caller sees something else: {different}")
        expected = [] if self.is_job(plain.recording) else [("error", True, None, None)]
        promise(found == expected, f"an error is one row that says so, without counts: {rows(usages)}")

    def test_a_stream_that_is_cut_is_one_row(self, stage: Stage, streamed: Case) -> None:
        """The connection ends in the middle: what the SDK makes of that is the caller's, and the row says that the answer is not complete."""
        middle = len(streamed.recording.chunks) // 2
        self.play(stage, streamed, cut_after=middle)
        bare = self.look(stage, streamed)
        self.play(stage, streamed, cut_after=middle)
        with self.hooked(stage, streamed) as usages:
            hooked = self.look(stage, streamed)
            ended = [usage.ended for usage in usages.recorded]
        different = difference(bare, hooked)
        promise(not different, f"the caller sees something else: {different}")
        promise(
            ended in (["error"], ["partial"]) if self.partial_rows else not ended,
            f"a stream that was cut is one row that is not complete: {rows(usages)}",
        )

    def test_retries_are_attempts_of_one_row(self, stage: Stage, plain: Case) -> None:
        """A client that tries again makes one call."""
        self._assert_tried_again(stage, replace(plain, retries=self.retries))

    def test_retries_of_a_stream_are_attempts_of_one_row(self, stage: Stage, streamed: Case) -> None:
        """A client that tries again before its stream begins makes one call."""
        self._assert_tried_again(stage, replace(streamed, retries=self.retries))

    def _assert_tried_again(self, stage: Stage, case: Case) -> None:
        if not self.retries or (case.stream and not self.retries_streams):
            pytest.skip("the SDK does not try again (`retries`, `retries_streams`)")
        attempts = self.retries + 1 if self.shows_retries else 1
        self.play(stage, case, fail_first=self.retries)
        with self.hooked(stage, case) as usages:
            seen = self.look(stage, case, copies=False)
            found = [(usage.ended, usage.attempts) for usage in usages.recorded]
        promise(seen.error is None, f"the client of a case with {self.retries} retries did not try so often: {seen.error}")
        promise(len(stage.asked) > self.retries, f"the server was asked {len(stage.asked)} times")
        promise(found == [("complete", attempts)], f"retries are attempts of one row: {found} (ended, attempts)")

    @pytest.mark.parametrize("place", ["before the call", "after the call", "in a stream", "at a stream's end"])
    def test_no_exception_of_the_integration_reaches_the_caller(self, stage: Stage, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Wherever the integration fails, the caller sees the same, and the failure is counted and logged."""
        for case in self.some_cases():
            self.play(stage, case)
            bare = self.look(stage, case, copies=False)
            self.play(stage, case)
            with monkeypatch.context() as patch:
                hooks = self.the_hooks()
                if place in {"before the call", "after the call"}:
                    hooks = tuple(broken_hooks(hooks, _fail, before=place == "before the call"))
                elif case.stream:
                    self.break_streams(patch, place)
                else:
                    continue
                with self.hooked(stage, case, hooks, failures=True):
                    hooked = self.look(stage, case, copies=False)
            different = difference(bare, hooked)
            promise(not different, f"{case}, {place}: the caller sees something else: {different}")

    def break_streams(self, patch: pytest.MonkeyPatch, place: str) -> None:
        """Makes the integration fail "in a stream" or "at a stream's end". To be overridden where streams are followed without `FollowedStream`."""
        chunks = vars(FollowedStream)["chunks"]  # those at the beginning, and others that take their place
        method = "absorb" if place == "in a stream" else "reading"
        broken = property(chunks.__get__, lambda followed, value: chunks.__set__(followed, _BrokenChunks(value, method)))
        patch.setattr(FollowedStream, "chunks", broken)


class _BrokenError(Exception):
    """What a broken integration raises."""


def _fail(*_: Any, **__: Any) -> Any:
    raise _BrokenError("the integration's own mistake")


def broken_hooks(hooks: tuple[Hook, ...], fail: Callable[..., Any], *, before: bool) -> Iterator[Hook]:
    """Yields hooks that call `fail` before the call, or after it, where the answer is read."""
    for hook in hooks:
        if hook.opens is None:
            yield hook
        elif before:
            yield replace(hook, opens=fail)
        else:
            yield replace(hook, opens=_breaking(hook.opens, fail))


def _breaking(opens: Any, fail: Callable[..., Any]) -> Any:
    """Opens the exchange as the integration does, and fails where the answer is read."""

    def open_broken(client: Any, args: Any, kwargs: Any) -> Exchange | None:
        exchange: Exchange | None = opens(client, args, kwargs)
        if exchange is not None:
            exchange.read = exchange.read_error = fail
            exchange.deliver = fail
        return exchange

    return open_broken


class _BrokenChunks:
    """Chunks that fail in one place."""

    def __init__(self, chunks: Any, place: str) -> None:
        self.chunks = chunks
        setattr(self, place, _fail)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chunks, name)

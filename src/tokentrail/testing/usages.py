"""The usages that a test recorded, in memory: nothing is written to a journal, nothing is sent."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

from tokentrail.usage import Usage
from tokentrail.vocabulary import KeyKind

__all__ = ["Usages", "collect_usages"]


class Usages(Sequence[Usage]):
    """A list of usages as the ledger would hold them, in the order in which they were recorded.

    What is told twice counts once, as in the ledger: a later record that completes an earlier one (an estimate) replaces it, and of several records
    with one claimed key the best source wins, then the earliest. `recorded` has every record, also those. Safe to use from several threads.

    The sums (`input_tokens`, `output_tokens`, `cache_read_tokens`, `cache_write_tokens`, `reasoning_tokens`, `calls`) are those of SQL: of what is
    stated, `None` if there are usages and none states it, and 0 if there are no usages.
    """

    def __init__(self, usages: Iterable[Usage] = ()) -> None:
        self.recorded: list[Usage] = []
        self._kept: list[Usage] = []
        self._place: dict[str, int] = {}  # of the latest usage with this key
        self._changed = threading.Condition()
        for usage in usages:
            self.append(usage)

    def append(self, usage: Usage) -> None:
        """Take a usage: this is the sink that the recorder calls, in the thread of the call."""
        with self._changed:
            self.recorded.append(usage)
            place = self._place.get(usage.key)
            if place is None or not _completes(usage):
                self._place[usage.key] = len(self._kept)
                self._kept.append(usage)
            elif _standing(usage) > _standing(self._kept[place]):
                self._kept[place] = usage
            self._changed.notify_all()

    @overload
    def __getitem__(self, index: int) -> Usage: ...
    @overload
    def __getitem__(self, index: slice) -> Usages: ...
    def __getitem__(self, index: int | slice) -> Usage | Usages:
        with self._changed:
            return Usages(self._kept[index]) if isinstance(index, slice) else self._kept[index]

    def __iter__(self) -> Iterator[Usage]:
        with self._changed:
            return iter(list(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        lines = (f"{u.operation} {u.tenant_id} {u.provider}/{u.request_model} {u.input_tokens}+{u.output_tokens} {u.source} {u.ended}" for u in self)
        return f"<Usages {len(self)}: {'; '.join(lines)}>"

    def total(self, field: str) -> int | None:
        """Sum up a field of `Usage`: of what is stated; `None` if no usage states it; 0 if there is no usage."""
        usages = list(self)
        stated = [count for count in (getattr(usage, field) for usage in usages) if count is not None]
        return sum(stated) if stated or not usages else None

    @property
    def input_tokens(self) -> int | None:
        """Input tokens, with those read from and written to a cache."""
        return self.total("input_tokens")

    @property
    def output_tokens(self) -> int | None:
        """Output tokens, with those of reasoning."""
        return self.total("output_tokens")

    @property
    def cache_read_tokens(self) -> int | None:
        """Input tokens that were read from a cache."""
        return self.total("cache_read_tokens")

    @property
    def cache_write_tokens(self) -> int | None:
        """Input tokens that were written to a cache."""
        return self.total("cache_write_tokens")

    @property
    def reasoning_tokens(self) -> int | None:
        """Output tokens of reasoning."""
        return self.total("reasoning_tokens")

    @property
    def calls(self) -> int | None:
        """Calls; a correction may take some back."""
        return self.total("calls")

    def by(self, *fields: str) -> dict[Any, Usages]:
        """Group by fields of `Usage` (`source` too): a dictionary from the value, or from the tuple of values, to the usages that have it."""
        if not fields:
            raise ValueError('by() needs the name of a field, as in by("tenant_id")')
        groups: dict[Any, Usages] = {}
        for usage in self:
            values = tuple(getattr(usage, field) for field in fields)
            groups.setdefault(values[0] if len(values) == 1 else values, Usages()).append(usage)
        return groups

    def where(self, **fields: Any) -> Usages:
        """Pick the usages whose fields have these values: `where(tenant_id="acme", ended="partial")`."""
        return Usages(usage for usage in self if all(getattr(usage, field) == value for field, value in fields.items()))

    def wait_for(self, count: int, timeout: float = 5.0) -> Usages:
        """Wait until there are at least `count` usages; `AssertionError` that shows what came if `timeout` seconds were not enough."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._kept) >= count, timeout):
                raise AssertionError(self._too_few(count, timeout))
        return self

    async def wait_for_async(self, count: int, timeout: float = 5.0) -> Usages:
        """Do the same without holding up the event loop (which has to run for an abandoned async stream to be recorded)."""
        deadline = time.monotonic() + timeout
        while len(self) < count:
            if time.monotonic() > deadline:
                raise AssertionError(self._too_few(count, timeout))
            await asyncio.sleep(0.005)
        return self

    def settle(self, timeout: float = 5.0) -> Usages:
        """Wait until what is done in the background is done: abandoned streams are recorded, and calls without counts are estimated.

        `AssertionError` if `timeout` seconds were not enough.
        """
        if not _settle(timeout):
            raise AssertionError(f"usages were still being counted after {timeout:g} s: {self!r}")
        return self

    def clear(self) -> None:
        """Forget everything so far."""
        with self._changed:
            self.recorded.clear()
            self._kept.clear()
            self._place.clear()

    def _too_few(self, count: int, timeout: float) -> str:
        return f"{len(self._kept)} of {count} usages were recorded in {timeout:g} s: {self._kept}"


def _completes(usage: Usage) -> bool:
    """Whether a usage tells again of an earlier one with its key. An automatic key's second record states the `call` that it completes."""
    return usage.key_kind != KeyKind.AUTOMATIC or usage.call != 0


def _standing(usage: Usage) -> tuple[tuple[int, int], int]:
    return usage.rank, -usage.ts


def _settle(timeout: float) -> bool:
    from tokentrail import finisher, ledger  # noqa: PLC0415 - see `collect_usages`

    deadline = time.monotonic() + timeout
    estimator = ledger._estimator  # noqa: SLF001 - `flush` would wait for the Collector too
    return finisher.drain(timeout) and (estimator is None or estimator.drain(max(0.0, deadline - time.monotonic())))


@contextmanager
def collect_usages() -> Iterator[Usages]:
    """Collect every usage that this process records meanwhile, instead of writing it to the journal.

    Collections may be nested: the innermost one gets the usages. What `@track_tokens` and `instrument()` do is not changed. Leaving waits (at most
    five seconds) for estimates that are still being counted, so that they do not end up in the journal.
    """
    from tokentrail import recorder  # noqa: PLC0415 - the recorder loads settings and telemetry: only when usages are collected

    usages = Usages()
    previous = recorder.set_sink(usages.append)
    try:
        yield usages
    finally:
        _settle(5.0)
        recorder.set_sink(previous)

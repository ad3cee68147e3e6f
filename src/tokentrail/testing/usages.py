"""The usages that a test recorded, in memory: nothing is written to a journal, nothing is sent."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

from tokentrail.process.current import current
from tokentrail.process.mutexes import Mutex
from tokentrail.usage import Usage
from tokentrail.vocabulary import KeyKind

__all__ = ["Usages", "collect_usages"]

PATIENCE = 30.0
"""Seconds that reading collected usages may wait for those that are on their way."""

_BETWEEN_LOOKS = 0.1  # seconds; a look for abandoned streams may take some hundredths


class Usages(Sequence[Usage]):
    """A list of usages as the ledger would hold them, in the order in which they were recorded.

    What is told twice counts once, as in the ledger: a later record that completes an earlier one (an estimate) replaces it, and of several records
    with one claimed key the best source wins, then the earliest. `recorded` has every record, also those. Safe to use from several threads.

    Usages that are being collected wait, whenever they are read, for what is on its way: streams that nobody reads any more are recorded, and calls
    without counts are estimated. `AssertionError` if that takes more than 30 seconds (a tokenizer's first use may take some on a busy machine).
    Parts of them (slices, `by`, `where`) are as they were taken.

    The sums (`input_tokens`, `output_tokens`, `cache_read_tokens`, `cache_write_tokens`, `reasoning_tokens`, `calls`) are those of SQL: of what is
    stated, `None` if there are usages and none states it, and 0 if there are no usages.
    """

    def __init__(self, usages: Iterable[Usage] = (), *, settles: Callable[[float], bool] | None = None) -> None:
        self._settles = settles  # waits at most these seconds for what is on its way; None: nothing is
        self._recorded: list[Usage] = []
        self._kept: list[Usage] = []
        self._place: dict[str, int] = {}  # of the latest usage with this key
        self._changed = threading.Condition()
        for usage in usages:
            self.append(usage)

    def append(self, usage: Usage) -> None:
        """Take a usage: this is the sink that the recorder calls, in the thread of the call."""
        with self._changed:
            self._recorded.append(usage)
            place = self._place.get(usage.key)
            if place is None or not _completes(usage):
                self._place[usage.key] = len(self._kept)
                self._kept.append(usage)
            elif _standing(usage) > _standing(self._kept[place]):
                self._kept[place] = usage
            self._changed.notify_all()

    @property
    def recorded(self) -> list[Usage]:
        """Every record, in order, also those that another one replaces."""
        self._wait()
        with self._changed:
            return list(self._recorded)

    @overload
    def __getitem__(self, index: int) -> Usage: ...
    @overload
    def __getitem__(self, index: slice) -> Usages: ...
    def __getitem__(self, index: int | slice) -> Usage | Usages:
        self._wait()
        with self._changed:
            return Usages(self._kept[index]) if isinstance(index, slice) else self._kept[index]

    def __iter__(self) -> Iterator[Usage]:
        self._wait()
        with self._changed:
            return iter(list(self._kept))

    def __len__(self) -> int:
        self._wait()
        return len(self._kept)

    def __repr__(self) -> str:
        """What there is now: a debugger, or the sentence of an error, must not wait."""
        with self._changed:
            kept = list(self._kept)
        lines = (f"{u.operation} {u.tenant_id} {u.provider}/{u.request_model} {u.input_tokens}+{u.output_tokens} {u.source} {u.ended}" for u in kept)
        return f"<Usages {len(kept)}: {'; '.join(lines)}>"

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
        if self._settles is not None:
            _record_abandoned_streams()
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._kept) >= count, timeout):
                raise AssertionError(self._too_few(count, timeout))
        return self

    async def wait_for_async(self, count: int, timeout: float = 5.0) -> Usages:
        """Do the same without holding up the event loop (which has to run for an abandoned async stream to be recorded)."""
        now = time.monotonic()
        deadline, look = now + timeout, now
        while len(self._kept) < count:
            now = time.monotonic()
            if now > deadline:
                raise AssertionError(self._too_few(count, timeout))
            if self._settles is not None and now >= look:  # the loop closes what was left, and only then can it be collected
                _record_abandoned_streams()
                look = now + _BETWEEN_LOOKS
            await asyncio.sleep(0.005)
        return self

    def settle(self, timeout: float = PATIENCE) -> Usages:
        """Wait until what is done in the background is done: abandoned streams are recorded, and calls without counts are estimated.

        Reading usages does it too; this is for those who need to wait longer. `AssertionError` if `timeout` seconds were not enough.
        """
        if self._settles is not None and not self._settles(timeout):
            raise AssertionError(self._unsettled(timeout))
        return self

    def _wait(self) -> None:
        """Settle before reading. Threads that do what is waited for go on at once: there is nothing that they could wait for."""
        begun = time.monotonic()
        if self._settles is not None and not self._settles(PATIENCE) and time.monotonic() - begun >= PATIENCE:
            raise AssertionError(self._unsettled(PATIENCE))

    def _unsettled(self, timeout: float) -> str:
        return f"usages were still being counted after {timeout:g} s (settle(timeout=…) waits longer): {self!r}"

    def clear(self) -> None:
        """Forget everything so far."""
        with self._changed:
            self._recorded.clear()
            self._kept.clear()
            self._place.clear()

    def renew_lock(self) -> None:
        """Take another lock, in a forked child: a thread of the parent may have held the old one."""
        self._changed = threading.Condition()

    def _too_few(self, count: int, timeout: float) -> str:
        return f"{len(self._kept)} of {count} usages were recorded in {timeout:g} s: {self._kept}"


def _completes(usage: Usage) -> bool:
    """Whether a usage tells again of an earlier one with its key. An automatic key's second record states the `call` that it completes."""
    return usage.key_kind != KeyKind.AUTOMATIC or usage.call != 0


def _standing(usage: Usage) -> tuple[tuple[int, int], int]:
    return usage.rank, -usage.ts


def _record_abandoned_streams() -> None:
    """Have the streams recorded that nobody holds any more: an SDK's response is a circle of references, which only the collector of these finds."""
    runtime = current.existing_runtime()
    if runtime is not None and runtime.streams:
        gc.collect()


def _settle(timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    _record_abandoned_streams()
    runtime = current.runtime
    return runtime.deferred.drain(timeout) and runtime.drain_estimates(max(0.0, deadline - time.monotonic()))


_collecting: list[Usages] = []
_changing = Mutex()


@contextmanager
def collect_usages() -> Iterator[Usages]:
    """Collect every usage whose call begins meanwhile in this process, instead of writing it to the journal.

    Collections may be nested: the innermost one gets the usages. What `@track_tokens` and `instrument()` do is not changed. A stream that ends, or an
    estimate that is counted, after the collection was left still belongs to it: nothing of it is in the journal or in the next collection.
    """
    from tokentrail.recording.delivery import Memory  # noqa: PLC0415 - only when usages are collected

    usages = Usages(settles=_settle)
    runtime = current.runtime
    try:
        with _changing.lock:
            _collecting.append(usages)
            runtime.delivery = Memory(usages.append, runtime.estimate)
        yield usages
    finally:
        try:
            _record_abandoned_streams()  # some calls begin only where their stream ends
            runtime.deferred.drain(PATIENCE)
        finally:  # an interrupt too: later calls belong to the journal again
            with _changing.lock:  # collections of several threads may end in any order
                if usages in _collecting:
                    _collecting.remove(usages)
                runtime.delivery = Memory(_collecting[-1].append, runtime.estimate) if _collecting else runtime.journal


def renew_locks() -> None:
    """Give each collection another lock, in a forked child."""
    for usages in _collecting:
        usages.renew_lock()

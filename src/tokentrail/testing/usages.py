"""The usages that a test recorded, in memory: no usage is written to a journal or sent."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, overload

from tokentrail.idempotency import job_of
from tokentrail.process.current import current
from tokentrail.process.mutexes import Mutex
from tokentrail.recording.jobs import Jobs, is_fact, results_without_usage
from tokentrail.usage import Usage
from tokentrail.vocabulary import KeyKind

__all__ = ["Usages", "collect_usages"]

PATIENCE = 30.0
"""Seconds that reading collected usages may wait for pending usages."""

_CLAIMED = (KeyKind.OBJECT, KeyKind.OPAQUE)
_POLL_SECONDS = 0.1


class Usages(Sequence[Usage]):
    """A list of usages as in the ledger, in the order of their recording.

    Usages with one key count once, as in the ledger: a later record that completes an earlier record (an estimate) replaces the earlier one, and of
    several records with one claimed key the best source wins, then the earliest. The results of a batch do not count where the batch states its usage
    itself. `recorded` has every record of a usage. Safe to use from several threads.

    During a collection every read waits for pending usages: abandoned streams are recorded, and calls without counts are estimated. A read that waits
    longer than 30 seconds raises `AssertionError` (a tokenizer's first use may take some seconds on a busy machine). Slices and the results of `by`
    and `where` do not change any more.

    The sums (`input_tokens`, `output_tokens`, `cache_read_tokens`, `cache_write_tokens`, `reasoning_tokens`, `calls`) are those of SQL: of the stated
    counts, `None` if there are usages and none states the count, and 0 if there are no usages.
    """

    def __init__(self, usages: Iterable[Usage] = (), *, settles: Callable[[float], bool] | None = None) -> None:
        self._settles = settles  # waits for pending usages, at most the given seconds; None: no usage is pending
        self._recorded: list[Usage] = []
        self._kept: list[Usage] = []
        self._place: dict[str, int] = {}  # the index of the latest usage with the key
        self._stated: set[str] = set()  # the keys of results that do not count, because their job states a usage
        self._changed = threading.Condition()
        for usage in usages:
            self.append(usage)

    def append(self, usage: Usage) -> None:
        """Takes a usage: the sink that the recorder calls, in the thread of the call."""
        with self._changed:
            if usage.calls == 0 and is_fact(usage):
                self._drop_results(usage)
                return
            self._recorded.append(usage)
            if job_of(usage.key) in self._stated and usage.key_kind in _CLAIMED:
                return
            place = self._place.get(usage.key)
            if place is None or not _repeats(usage):
                self._place[usage.key] = len(self._kept)
                self._kept.append(usage)
            elif _precedence(usage) > _precedence(self._kept[place]):
                self._kept[place] = usage
            self._changed.notify_all()

    def _drop_results(self, fact: Usage) -> None:
        """Removes the results of a job that states its usage itself, as the ledger does."""
        results = results_without_usage(fact)
        if not results:
            return
        self._stated.add(results)
        self._kept = [usage for usage in self._kept if usage.key_kind not in _CLAIMED or job_of(usage.key) != results]
        self._place = {usage.key: place for place, usage in enumerate(self._kept)}

    @property
    def recorded(self) -> list[Usage]:
        """All records in order, also records that a later record replaces."""
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
        """Shows the present usages: a debugger, or the sentence of an error, must not wait."""
        with self._changed:
            kept = list(self._kept)
        lines = (f"{u.operation} {u.tenant_id} {u.provider}/{u.request_model} {u.input_tokens}+{u.output_tokens} {u.source} {u.ended}" for u in kept)
        return f"<Usages {len(kept)}: {'; '.join(lines)}>"

    def total(self, field: str) -> int | None:
        """Returns the sum of the stated values of a field of `Usage`; `None` if no usage states the field; 0 if there is no usage."""
        usages = list(self)
        stated = [count for count in (getattr(usage, field) for usage in usages) if count is not None]
        return sum(stated) if stated or not usages else None

    @property
    def input_tokens(self) -> int | None:
        """Input tokens, cache reads and writes included."""
        return self.total("input_tokens")

    @property
    def output_tokens(self) -> int | None:
        """Output tokens, reasoning included."""
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
        """Calls; a correction may subtract calls."""
        return self.total("calls")

    def by(self, *fields: str) -> dict[Any, Usages]:
        """Groups by fields of `Usage` (`source` too): returns a dictionary from the value, or the tuple of values, to the usages."""
        if not fields:
            raise ValueError('by() needs the name of a field, as in by("tenant_id")')
        groups: dict[Any, Usages] = {}
        for usage in self:
            values = tuple(getattr(usage, field) for field in fields)
            groups.setdefault(values[0] if len(values) == 1 else values, Usages()).append(usage)
        return groups

    def where(self, **fields: Any) -> Usages:
        """Returns the usages whose fields have these values: `where(tenant_id="acme", ended="partial")`."""
        return Usages(usage for usage in self if all(getattr(usage, field) == value for field, value in fields.items()))

    def wait_for(self, count: int, timeout: float = 5.0) -> Usages:
        """Waits until there are at least `count` usages; raises `AssertionError` with the present usages after `timeout` seconds."""
        if self._settles is not None:
            current.runtime.streams.end_abandoned()
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._kept) >= count, timeout):
                raise AssertionError(self._too_few(count, timeout))
        return self

    async def wait_for_async(self, count: int, timeout: float = 5.0) -> Usages:
        """Waits like `wait_for`, without blocking the event loop (which must run so that an abandoned async stream is recorded).

        The searches for abandoned streams, each of which may take seconds in a large process, take half of the time at most, and none of the timeout.
        """
        deadline, next_search = time.monotonic() + timeout, 0.0
        while len(self._kept) < count:
            now = time.monotonic()
            if now > deadline:
                raise AssertionError(self._too_few(count, timeout))
            if self._settles is not None and now >= next_search:  # a stream can be collected only after the loop has closed it
                current.runtime.streams.end_abandoned()
                took = time.monotonic() - now
                deadline += took
                next_search = now + took + max(took, _POLL_SECONDS)
            await asyncio.sleep(0.005)
        return self

    def settle(self, timeout: float = PATIENCE) -> Usages:
        """Waits until all background work is done: abandoned streams are recorded, and calls without counts are estimated.

        Every read of usages does the same; `settle` can wait longer. Raises `AssertionError` after `timeout` seconds.
        """
        if self._settles is not None and not self._settles(timeout):
            raise AssertionError(self._unsettled(timeout))
        return self

    def _wait(self) -> None:
        """Settles before a read. The threads that do the background work do not wait: they would wait for themselves."""
        begun = time.monotonic()
        if self._settles is not None and not self._settles(PATIENCE) and time.monotonic() - begun >= PATIENCE:
            raise AssertionError(self._unsettled(PATIENCE))

    def _unsettled(self, timeout: float) -> str:
        return f"usages were still being counted after {timeout:g} s (settle(timeout=…) waits longer): {self!r}"

    def clear(self) -> None:
        """Removes all usages."""
        with self._changed:
            self._recorded.clear()
            self._kept.clear()
            self._place.clear()
            self._stated.clear()

    def renew_lock(self) -> None:
        """Renews the lock in a forked child: a thread of the parent may have held the lock."""
        self._changed = threading.Condition()

    def _too_few(self, count: int, timeout: float) -> str:
        return f"{len(self._kept)} of {count} usages were recorded in {timeout:g} s: {self._kept}"


def _repeats(usage: Usage) -> bool:
    """Whether a usage repeats or completes an earlier usage with its key. The second record of an automatic key states the completed `call`."""
    return usage.key_kind != KeyKind.AUTOMATIC or usage.call != 0


def _precedence(usage: Usage) -> tuple[tuple[int, int], int]:
    return usage.rank, -usage.ts


def _settle(timeout: float) -> bool:
    return current.runtime.settle(timeout)


_collecting: list[Usages] = []
_changing = Mutex()


@contextmanager
def collect_usages() -> Iterator[Usages]:
    """Collects every usage whose call starts meanwhile in this process, instead of writing the usage to the journal.

    Collections may be nested: the innermost collection gets the usages. `@track_tokens` and `instrument()` work as without a collection. A stream or
    an estimate that ends after the collection still belongs to the collection: neither goes to the journal or to the next collection.
    """
    from tokentrail.recording.delivery import Memory  # noqa: PLC0415 - only when usages are collected

    usages = Usages(settles=_settle)
    runtime = current.runtime
    jobs = runtime.jobs
    try:
        with _changing.lock:
            _collecting.append(usages)
            runtime.jobs = Jobs()  # a job of another test is another job
            runtime.delivery = Memory(usages.append, runtime.estimate)
        yield usages
    finally:
        try:
            runtime.streams.end_abandoned()  # some calls start only at the end of their stream
            runtime.deferred.drain(PATIENCE)
        finally:  # also after an interrupt: later calls belong to the journal again
            with _changing.lock:  # collections of several threads may end in any order
                if usages in _collecting:
                    _collecting.remove(usages)
                runtime.jobs = jobs
                runtime.delivery = Memory(_collecting[-1].append, runtime.estimate) if _collecting else runtime.usual_delivery()


def renew_locks() -> None:
    """Renews the lock of each collection in a forked child."""
    for usages in _collecting:
        usages.renew_lock()

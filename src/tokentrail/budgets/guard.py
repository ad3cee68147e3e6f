"""The guard in the process: warns, or raises `BudgetExceeded`, before a call that would spend more of a budget that is spent.

What is spent is the answer of the question `budgets`. A thread fetches it every `budget_interval` seconds, once a block names a budget and
`budget_dsn` is set. A call reads what was fetched last, and never waits. What is older than `budget_max_age` holds no call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tokentrail.process import threads
from tokentrail.process.current import current
from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex

if TYPE_CHECKING:
    from tokentrail.attribution import Attribution

__all__ = ["BudgetExceeded", "Guard", "State", "forget_parent", "guard"]

RAISE: Final = "raise"


class BudgetExceeded(Exception):  # noqa: N818 - the name says what has happened, as in other libraries' limits
    """A budget is spent, and the call was not made: `track_tokens(budget=…, over_budget="raise")`.

    `budget` is its name, `spent` and `amount` are money in `currency`, or tokens where `currency` is empty; `ends` is the end of the period, UTC.
    """

    def __init__(self, budget: str, spent: Decimal, amount: Decimal, currency: str, ends: datetime) -> None:
        super().__init__(budget, spent, amount, currency, ends)
        self.budget = budget
        self.spent = spent
        self.amount = amount
        self.currency = currency
        self.ends = ends

    def __str__(self) -> str:
        """One sentence."""
        return f"budget {self.budget} is spent: {self.spent} of {self.amount} {self.currency or 'tokens'}, until {self.ends:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a budget."""

    spent: Decimal
    amount: Decimal
    currency: str
    ends: datetime


class Guard:
    """What is known of the budgets that blocks of this process name."""

    def __init__(self, fetch: Callable[[str, Sequence[str]], Mapping[str, State]]) -> None:
        self._fetch = fetch
        self._mutex = Mutex()
        self._names: dict[str, None] = {}
        self._states: Mapping[str, State] = {}
        self._fetched_at = float("-inf")
        self._running = False
        self._wake: threads.SimpleQueue[None] = threads.SimpleQueue()

    def watch(self, names: Iterable[str]) -> None:
        """Keeps the states of these budgets from now on."""
        with self._mutex.lock:
            new = [name for name in names if name not in self._names]
            self._names.update(dict.fromkeys(new))
        if new and self._running:
            self._wake.put(None)
        self._start()

    def check(self, block: Attribution | None) -> None:
        """Raises `BudgetExceeded` for a budget of the block, or of a block around it, that is spent, or logs a warning once a minute."""
        settings = current.settings
        if block is None or not block.budgets or settings.disabled:
            return
        if not self._running:
            self._start()
        if time.monotonic() - self._fetched_at > settings.budget_max_age:
            return
        now = datetime.now(timezone.utc)
        for name, over in block.budgets.items():
            state = self._states.get(name)
            if state is None or state.spent < state.amount or now >= state.ends:
                continue
            exceeded = BudgetExceeded(name, state.spent, state.amount, state.currency, state.ends)
            if over == RAISE:
                raise exceeded
            current.runtime.diagnostics.complain(str(exceeded), about=f"budget {name}")

    def age(self) -> float:
        """Returns the seconds since the last answer; infinite before the first."""
        return time.monotonic() - self._fetched_at

    def forget_parent(self) -> None:
        """Goes on with the parent's states in a forked child, which has not the parent's thread."""
        self._running = False
        self._wake = threads.SimpleQueue()

    def _start(self) -> None:
        """Starts the thread, if there is an address and no thread."""
        with self._mutex.lock:
            if self._running or not current.settings.budget_dsn or not self._names:
                return
            self._running = True  # before the thread, which may have ended when `start` returns
            if not threads.start(self._run):
                self._running = False

    def _run(self) -> None:
        wake = self._wake
        try:
            while current.settings.budget_dsn and not threads.application_has_ended():
                try:
                    begun = time.monotonic()
                    self._states = self._fetch(current.settings.budget_dsn, tuple(self._names))
                    self._fetched_at = begun
                except Exception as error:
                    current.runtime.diagnostics.internal_error("budgets", error)
                threads.get(wake, current.settings.budget_interval)  # ends early where a block names another budget
        finally:
            self._running = False  # also after what is no Exception, such as gevent's Timeout: the next call starts another thread


def _fetched(dsn: str, names: Sequence[str]) -> Mapping[str, State]:
    """Asks ClickHouse. Raises `ClickHouseError`, and `ImportError` without the extra `cli`."""
    with no_fork():
        from tokentrail.clickhouse.client import LONGEST_WAIT, connect  # noqa: PLC0415 - a service without budgets needs no client
        from tokentrail.ledger.query import answer  # noqa: PLC0415 - same
    client = connect(dsn, patience=min(current.settings.budget_max_age / 2, LONGEST_WAIT))  # time for another answer before the last is too old
    try:
        rows: list[dict[str, Any]] = answer(client, "budgets", {"names": list(names)}).dicts()
    finally:
        client.close()
    return {
        row["name"]: State(
            Decimal(row["spent"]),
            Decimal(row["amount"]),
            row["currency"],
            datetime.strptime(row["ends"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc),
        )
        for row in rows
    }


guard: Final = Guard(_fetched)


def forget_parent() -> None:
    """Prepares the guard of a forked child."""
    guard.forget_parent()

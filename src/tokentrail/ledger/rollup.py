"""Sums by day: which days have changed, and building their sums anew.

A build of days is written under a number of its own and counts once it is published. So a refresh may be interrupted at any step, two refreshes may
run at once, and no question sees half a day. A day for which something arrived within the last hour is open: its sums would not count, and are not
built.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, run

__all__ = ["Refreshed", "different_days", "mark_changed", "refresh"]

_DAYS_AT_ONCE: Final = 7
"""Days of one build: bounds the memory of a refresh. A month of 10 million usages takes some 15 seconds."""
_TOO_LATE: Final = timedelta(minutes=30)
"""A build that took longer is not published: questions look back an hour before the last check."""
_KEPT: Final = timedelta(days=1)
"""So long the sums of a former build stay for questions that have begun to read them."""
_RANDOM_BITS: Final = 20
_CHECK: Final = "1970-01-01"
"""The day in `usage_day_builds` that stands for a check of all days."""


Progress = Callable[[int, int], None]
"""Is called with the number of days that are done, and the number of all."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The outcome of a refresh: days that were built, open days, and days that were too slow to build."""

    built: list[date]
    open: list[date]
    late: list[date]


def refresh(client: Client, *, every: bool = False, progress: Progress = lambda _done, _all: None) -> Refreshed:
    """Brings the sums by day up to date; `every` builds those of all days. Raises `ClickHouseError`; what is done by then counts."""
    moment, _ = _present(client)
    changed = [day for (day,) in answer(client, "days_changed").rows]
    if changed:
        run(client, "days_publish", {"days": _texts(changed), "built_at": _text(moment)})
    wanted = answer(client, "days_to_build", {"every": int(every)}).rows
    open_days, closed = [day for day, is_open in wanted if is_open], [day for day, is_open in wanted if not is_open]
    built: list[date] = []
    late: list[date] = []
    for days in _parts(closed):
        (built if _build(client, days) else late).extend(days)
        progress(len(built) + len(late), len(closed))
    if not late:
        run(client, "days_publish", {"days": [_CHECK], "built_at": _text(moment)})
    _forget_former(client, moment)
    return Refreshed(built, open_days, late)


def mark_changed(client: Client, days: Sequence[date] | None = None) -> None:
    """Makes no stored sum of days count, or of all: for rows that came or went in a way that no check would notice."""
    moment, _ = _present(client)
    days = [day for day, _ in answer(client, "days_to_build", {"every": 1}).rows] if days is None else days
    if days:
        run(client, "days_publish", {"days": _texts(days), "built_at": _text(moment)})


def different_days(client: Client) -> list[dict[str, Any]]:
    """Returns the days whose sums count and are not those of the ledger: rows were deleted or restored by hand, or an insert took over an hour."""
    return answer(client, "days_different").dicts()


def _build(client: Client, days: Sequence[date]) -> bool:
    """Stores the sums of days, and publishes them. False if that took so long that they would not be reliable."""
    moment, prices = _present(client)
    build = _number(moment) | secrets.randbits(_RANDOM_BITS)
    run(client, "days_build", {"build": build, "days": _texts(days)})
    if _present(client)[0] - moment > _TOO_LATE:
        return False
    definition = sqlfiles.digest("days")
    run(client, "days_publish", {"days": _texts(days), "build": build, "built_at": _text(moment), "definition": definition, "prices": prices})
    return True


def _forget_former(client: Client, moment: datetime) -> None:
    """Deletes the sums of former builds, and of those that were never published."""
    before = {"before": _number(moment - _KEPT)}
    if answer(client, "days_superseded", before).rows[0][0]:
        run(client, "days_forget", before)


def _present(client: Client) -> tuple[datetime, int]:
    """Returns the server's time, and the digest of the price lists."""
    ((moment, prices),) = answer(client, "days_moment").rows
    return datetime.fromisoformat(str(moment)), int(prices)


def _number(moment: datetime) -> int:
    return int(moment.timestamp() * 1000) << _RANDOM_BITS


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _texts(days: Sequence[date]) -> list[str]:
    return [str(day) for day in days]


def _parts(days: Sequence[date]) -> Iterator[Sequence[date]]:
    for first in range(0, len(days), _DAYS_AT_ONCE):
        yield days[first : first + _DAYS_AT_ONCE]

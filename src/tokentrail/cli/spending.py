"""What `tokentrail top` shows: who spends tokens in the last minutes, and the change against as many before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from tokentrail.cli.stdout import rule_sign
from tokentrail.cli.tables import table
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.breakdown import Breakdown, break_down
from tokentrail.wording import counted

__all__ = ["SORTS", "WINDOWS", "Look", "View", "look", "screen_lines"]

WINDOWS: Final = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "6h": 360, "1d": 1440, "7d": 10080}
"""Windows and their minutes."""
SORTS: Final = ("tokens", "calls", "change", "error_calls", "cost")
DIMENSIONS: Final = ("model", "tenant_id", "operation", "service_name", "provider", "endpoint", "environment")
_LEAST: Final = 2
"""How many columns of numbers are shown before names are folded."""
_FOUR: Final = Decimal("0.0001")
_TENTH: Final = Decimal("0.1")


@dataclass(slots=True)
class View:
    """What is looked at."""

    by: list[str]
    window: str
    sort: str
    cost: bool
    filters: Mapping[str, Parameter] = field(default_factory=dict)

    def press(self, key: str) -> bool:
        """Changes the view by a key. Returns whether the key has a meaning."""
        if key in "bB":
            self.by = [_next(DIMENSIONS, self.by[0] if self.by else "", key)]
        elif key in "wW":
            self.window = _next(tuple(WINDOWS), self.window, key)
        elif key in "sS":
            self.sort = _next(SORTS if self.cost else SORTS[:-1], self.sort, key)
        else:
            return False
        return True


def _next(words: tuple[str, ...], word: str, key: str) -> str:
    """Returns the word after another one, or before it for a capital key."""
    at = words.index(word) if word in words else -1
    return words[(at + (-1 if key.isupper() else 1)) % len(words)]


@dataclass(frozen=True, slots=True)
class Look:
    """An answer, the view that was asked for, and the moment."""

    view: tuple[tuple[str, ...], str, str]
    found: Breakdown
    at: datetime


def look(client: Client, view: View) -> Look:
    """Asks for the spending of the view's window, and of the one before it."""
    now = datetime.now(timezone.utc)
    minutes = timedelta(minutes=WINDOWS[view.window])
    moments = [(now - each * minutes).strftime("%Y-%m-%d %H:%M:%S.%f") for each in range(3)]
    asked = (tuple(view.by), view.window, view.sort)
    bounds = {"from": moments[1], "to": moments[0]}
    found = break_down(client, view.by, {**view.filters, **bounds}, cost=view.cost, share=True, before=(moments[2], moments[1]))
    return Look(asked, found.sorted_by(view.sort), now)


def screen_lines(seen: Look, view: View, *, width: int | None, rows: int, address: str) -> list[str]:
    """Returns the lines of the screen: title, totals, and a table of at most `rows` rows and one for the rest; `width` None: of any width."""
    by, window, sort = seen.view
    found = seen.found.first(rows)
    minutes = WINDOWS[window]
    total = seen.found.total
    title = f"tokentrail top   by {', '.join(by) or 'nothing'}   last {window}   largest {sort} first   {seen.at:%H:%M:%S} UTC   {address}"
    spent = (total["input_tokens"] or 0) + (total["output_tokens"] or 0)
    sums = f"{_rate(spent, minutes)} tokens a minute   {counted(total['calls'], 'call')}   {total['error_calls']:,} failed"
    if view.cost and total.get("cost") is not None:
        currencies = sorted({row["currency"] for row in seen.found.rows if row["currency"]})
        sums += f"   {total['cost'].quantize(_FOUR)} {'/'.join(currencies)}"
    if not found.rows:
        return [title, sums, "", "no calls in this time"]
    headings, values = _table(found, by, minutes, cost=view.cost)
    # a narrow terminal gets fewer columns before names are folded, for a folded name costs lines
    for fold, fewest in ((False, len(by) + _LEAST), (True, len(by) + 1)):
        for kept in range(len(headings), fewest - 1, -1):
            cells = [row[:kept] for row in values]
            written = table(headings[:kept], cells, width=width, rule=rule_sign(), counts=headings[len(by) :], names_may_fold=fold)
            if written is not None:
                return [title, sums, "", *written.splitlines()]
    return [title, sums, "", "the terminal is too narrow for a table"]


def _table(found: Breakdown, by: tuple[str, ...], minutes: int, *, cost: bool) -> tuple[list[str], list[list[Any]]]:
    several = cost and len({row["currency"] for row in found.rows if row["currency"]}) > 1
    names = [*by, *(["currency"] if several else [])]
    rows = [{**row, **{name: row[name] if row[name] != "" else "(none)" for name in names}} for row in found.rows]
    if found.rest:
        rows.append({**dict.fromkeys(names, ""), **found.rest, **({names[0]: f"({counted(found.left_out, 'other')})"} if names else {})})
    headings = [*names, "tokens/min", "share %", "change %", "calls", "failed", *(["cost"] if cost else []), "input", "output"]
    values = []
    for row in rows:
        spent = (row["input_tokens"] or 0) + (row["output_tokens"] or 0)
        money = [] if not cost else [None if row["cost"] is None else row["cost"].quantize(_FOUR)]
        values.append(
            [
                *(row[name] for name in names),
                _rate(spent, minutes),
                _percent(row["share"]),
                _percent(row["change"]),
                row["calls"],
                row["error_calls"],
                *money,
                row["input_tokens"],
                row["output_tokens"],
            ]
        )
    return headings, values


def _rate(number: int, minutes: int) -> Decimal:
    rate = Decimal(number) / minutes
    return rate.quantize(_TENTH if rate < 10 else Decimal(1))  # noqa: PLR2004 - digits that somebody reads


def _percent(share: float | None) -> Decimal | None:
    return None if share is None else Decimal(str(share)).scaleb(2).quantize(_TENTH)

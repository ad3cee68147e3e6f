"""`tokentrail tail`: prints calls as they arrive in the ledger."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import click
import msgspec
from rich.cells import cell_len

from tokentrail.cli.address import dsn_option
from tokentrail.cli.errors import Misuse
from tokentrail.cli.filters import FilteredCommand, chosen, filter_options, hints, time_options
from tokentrail.cli.live import Connection, interval_option
from tokentrail.cli.output import harmless
from tokentrail.cli.stdout import is_terminal, note, write_bytes, write_text
from tokentrail.cli.tables import shown
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import answer
from tokentrail.ledger.times import parse_time, parse_zone
from tokentrail.process.signals import ended_by_signals

__all__ = ["command"]

PAGE: Final = 1000
OVERLAP: Final = timedelta(seconds=10)
"""How far behind the latest arrival each look begins: an insert is seen some time after the moment that its rows state."""
REMEMBERED: Final = 100_000
"""Calls of which it is known that they were printed."""
_LONG_AGO: Final = "1970-01-01 00:00:00.000"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_COUNTS: Final = ("input_tokens", "output_tokens", "source", "ended", "error_type")
"""What a record may complete: a call whose values of these change is printed again."""
_WIDEST: Final = 40
"""The width up to which a column of names grows, so that the next one stands below itself."""


class Arrivals:
    """The calls that have arrived since the last look, each once, and again when a later record completes it."""

    def __init__(self, filters: Mapping[str, Parameter]) -> None:
        self._filters = filters
        self._latest = _LONG_AGO
        self._printed: OrderedDict[tuple[str, str], tuple[Any, ...]] = OrderedDict()

    def latest(self, client: Client, most: int) -> list[dict[str, Any]]:
        """Returns the latest calls, the newest last, and goes on from there."""
        rows = answer(client, "arrivals", {**self._filters, "newest": 1, "most": max(most, 1)}).dicts()
        found = list(self._new(reversed(rows)))
        for _ in self.new(client):
            pass  # what stands before the latest calls is known, and not printed
        return found[-most:] if most else []

    def new(self, client: Client) -> Iterator[dict[str, Any]]:
        """Yields the calls that have arrived since, page by page."""
        begin = datetime.fromisoformat(self._latest) - OVERLAP if self._latest != _LONG_AGO else None
        after, key = begin.isoformat(" ", "milliseconds") if begin else _LONG_AGO, ""
        while True:
            rows = answer(client, "arrivals", {**self._filters, "after": after, "after_key": key, "most": PAGE}).dicts()
            yield from self._new(rows)
            if len(rows) < PAGE:
                return
            after, key = rows[-1]["arrived_at"], rows[-1]["idempotency_key"]

    def _new(self, rows: Any) -> Iterator[dict[str, Any]]:
        for row in rows:
            self._latest = max(self._latest, row["arrived_at"])
            call = (row["idempotency_key"], row["writer_id"])
            said = tuple(row[name] for name in _COUNTS)
            before = self._printed.get(call)
            if before == said:
                continue
            self._printed[call] = said
            if len(self._printed) > REMEMBERED:
                self._printed.popitem(last=False)
            yield {**row, "again": before is not None}


class _Lines:
    """Calls as lines for people: columns below each other, as wide as what was printed before."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._widths: dict[int, int] = {}

    def of(self, row: Mapping[str, Any]) -> str:
        """Returns a call's line."""
        began = datetime.fromisoformat(f"{row['ts'][:26]}+00:00").astimezone(self._zone)
        took = "" if row["duration_ms"] is None else f"{float(row['duration_ms']) / 1000:.1f} s"
        cells = [
            (began.strftime("%m-%d %H:%M:%S"), False),
            (shown(row["tenant_id"] or "(none)"), False),
            (shown(row["operation"]), False),
            (shown(row["service_name"]), False),
            (shown(f"{row['provider']}/{row['model']}"), False),
            (shown(row["input_tokens"], grouped=True) + " in", True),
            (shown(row["output_tokens"], grouped=True) + " out", True),
            (took, True),
        ]
        padded = [self._padded(at, cell.replace("\n", " "), right=right) for at, (cell, right) in enumerate(cells)]
        remarks = [row["source"]] if row["source"] != "reported" else []
        remarks += [shown(f"{row['ended']} {row['error_type']}".strip())] if row["ended"] != "complete" else []
        return "  ".join([*padded, *remarks, *(["completed"] if row["again"] else [])]).rstrip()

    def _padded(self, at: int, cell: str, *, right: bool) -> str:
        width = cell_len(cell)
        self._widths[at] = max(self._widths.get(at, 0), min(width, _WIDEST))
        space = " " * max(0, self._widths[at] - width)
        return space + cell if right else cell + space


@click.command(name="tail", cls=FilteredCommand)
@dsn_option
@click.option(
    "-n", "--lines", type=click.IntRange(0, 100_000), default=10, show_default=True, metavar="CALLS", help="First as many of the latest calls."
)
@click.option("-f", "--follow/--no-follow", default=True, show_default=True, help="Go on with calls as they arrive, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@interval_option(1.0)
@time_options
@filter_options
def command(*, dsn: str, lines: int, follow: bool, as_json: bool, interval: float, start: str | None, end: str | None, timezone: str) -> None:
    """Print calls as they arrive, the latest ones first.

    A call that a later record completes (an estimate, a batch's result) is printed again, marked `completed`; in JSON `again` is true, and of the
    lines of one idempotency_key the last counts. With --from all calls since then are printed in place of the latest ones; without it, calls that
    began more than a day ago are left out. A server that goes away is awaited.

    \b
    Example:
        tokentrail tail --tenant acme
        tokentrail tail --json --from today | jq 'select(.ended == "error")'
    """
    filters = chosen() | {"from": start or parse_time("1d")} | ({"to": end} if end else {})
    arrivals, written = Arrivals(filters), _Lines(parse_zone(timezone))

    def show(row: Mapping[str, Any]) -> None:
        line = _ENCODER.encode(row) + b"\n"
        if as_json:
            write_bytes(harmless(line, in_json=True) if is_terminal() else line)
        else:
            write_text(f"{written.of(row)}\n")

    connection = Connection(dsn)
    with ended_by_signals():
        try:
            first = connection.ask(lambda client: list(arrivals.new(client)) if start else arrivals.latest(client, lines))
            for row in first or ():
                show(row)
            if first == []:
                for sentence in connection.ask(lambda client: hints(client, chosen())) or ():
                    note(sentence)
            if connection.problem:
                raise Misuse(connection.problem)
            while follow:
                time.sleep(connection.pause(interval))
                for row in _ask_again(connection, arrivals):
                    show(row)
        finally:
            connection.close()


def _ask_again(connection: Connection, arrivals: Arrivals) -> list[dict[str, Any]]:
    """Returns the calls that have arrived; none while the server is away, which is noted once."""
    away = connection.problem
    rows = connection.ask(lambda client: list(arrivals.new(client)))
    if connection.problem and not away:
        note(f"… waiting for ClickHouse: {connection.problem}")
    elif away and not connection.problem:
        note("… ClickHouse answers again")
    return rows or []

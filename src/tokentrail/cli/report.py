"""`tokentrail report`: sums tokens and calls by any dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.filters import Dimensions, FilteredCommand, chosen, filter_options, hints, time_options
from tokentrail.cli.html import html_option, write_html
from tokentrail.cli.output import (
    MOST_ROWS,
    PARQUET,
    echo_batches,
    echo_beside,
    echo_parquet,
    format_or_parquet_option,
    limit_option,
    print_more_rows,
    print_table,
)
from tokentrail.cli.stdout import note, refuse_binary
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.breakdown import Breakdown, SortError, break_down
from tokentrail.ledger.dimensions import TIMES
from tokentrail.ledger.report import COSTS, MEASURES, Kept, days_from_sums, kept
from tokentrail.ledger.times import parse_zone, period_before
from tokentrail.wording import counted

__all__ = ["command"]

_HEADINGS = {name: name.removesuffix("_tokens").removesuffix("_calls").replace("_", " ") for name in (*MEASURES, *COSTS)} | {
    "share": "share %",
    "tokens_before": "before",
    "change": "change %",
    "cost_before": "cost before",
    "cost_change": "cost change %",
}
"""Headings of a table's columns: tokens first, then calls and the sources of their counts."""

_SHORT = {"reasoning": "reas.", "reported": "rep.", "estimated": "est.", "unknown": "unk.", "partial": "part."}
"""Short headings for narrow terminals."""

_MILLIONTH = Decimal("0.000001")
_TENTH = Decimal("0.1")

_ALWAYS = ("input_tokens", "output_tokens", "calls", "cost")
"""Measures that a table shows even if they are 0 or not stated in every row."""


def _currency(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not re.fullmatch("[A-Z]{3}", value):
        raise click.BadParameter(f"{value!r} is no currency: write three letters, such as EUR.")
    return value


def _with_currency(by: list[str], rows: list[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Returns the dimensions and rows for people: the currency where there are several, and costs without digits that nobody pays."""
    several = len({row["currency"] for row in rows if row["currency"]}) > 1
    return [*by, "currency"] if several else by, [_rounded(row) for row in rows]


def _money(cost: Decimal | None) -> Decimal | None:
    return cost if not cost or abs(cost) < _MILLIONTH else cost.quantize(_MILLIONTH)


_FRACTIONS = ("share", "change", "cost_change")
"""Measures from 0 to 1, which people read as percentages."""


def _percent(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row for people: fractions as percentages."""
    return {
        name: Decimal(str(value)).scaleb(2).quantize(_TENTH) if name in _FRACTIONS and value is not None else value for name, value in row.items()
    }


def _complete_sort(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    by = context.params.get("by")
    words = [*(by if isinstance(by, list) else []), "tokens", *MEASURES, *COSTS[:1], "share", "change"]
    words += [f"{name}:{direction}" for name in words for direction in ("asc", "desc") if incomplete.startswith(f"{name}:")]
    return [CompletionItem(name) for name in words if name.startswith(incomplete)]


@click.command(name="report", cls=FilteredCommand)
@dsn_option
@click.option(
    "--by", default="provider,model", show_default=True, type=Dimensions(), metavar="DIMENSIONS", help="Separated by commas; '' for one total."
)
@time_options
@click.option("--cost", is_flag=True, help="What it costs too, by the prices at the time of each call (tokentrail prices).")
@click.option("--currency", default="", callback=_currency, help="All costs in this currency, by the rate at the time of each call.")
@click.option("--share", is_flag=True, help="Each row's share of all tokens.")
@click.option("--change", is_flag=True, help="The change against the period before --from, and what that one had.")
@click.option(
    "--sort", metavar="COLUMN", shell_complete=_complete_sort, help="Sort by a measure (the largest first) or a dimension; COLUMN:asc, COLUMN:desc."
)
@html_option
@format_or_parquet_option
@limit_option
@filter_options
def command(
    *,
    dsn: str,
    by: list[str],
    start: str | None,
    end: str | None,
    timezone: str,
    cost: bool,
    currency: str,
    share: bool,
    change: bool,
    sort: str | None,
    html: Path | None,
    output_format: str,
    limit: int | None,
) -> None:
    """Tokens and calls, each counted once.

    `model` is the model that answered, or the requested one where the answer names none. A dash (null in JSON) means that the number was not stated.
    `reported_calls`, `estimated_calls` and `unknown_calls` state the sources of the counts; `partial_calls` were cut short, `error_calls` failed.
    A table leaves out measures that are 0 or unstated in every row; json and csv have them all. In csv a text that a spreadsheet would take for a
    formula begins with an apostrophe.
    With --cost there is a row for each currency, and one for the calls without a price, whose cost is not 0 but unknown: `unpriced_calls` have no
    price, `uncounted_calls` no tokens, and of `partly_calls` the cost is a lower bound. --currency has all costs in one, and
    includes --cost; a price without a rate of exchange (tokentrail prices load) at the time of a call is refused.
    Of the rows beyond --limit a table shows the sums. metadata.KEY is a dimension too.
    With --html there is one page for a browser instead, which needs nothing but itself: totals and their change, trends, who spent what and for what,
    caches, how sure the numbers are, and whether anything is missing.

    \b
    Example:
        tokentrail report --by tenant_id,model --from 2026-11-01 --to 2026-12-01
        tokentrail report --by metadata.team --from month --timezone Europe/Madrid --share --change
        tokentrail report --by day --from 7d --endpoint embeddings --where metadata.team=search
        tokentrail report --html usage.html --from 30d
    """
    cost = cost or bool(currency)
    _refuse_empty(start, end)
    if html is not None:
        write_html(dsn, html, start=start, end=end, timezone=timezone, filters=chosen())
        return
    before, end = _period_before(by, start, end, timezone) if change else (None, end)
    parameters = chosen() | {"timezone": timezone} | ({"from": start} if start else {}) | ({"to": end} if end else {})
    if output_format == PARQUET:
        refuse_binary("Parquet")
    with opened(dsn) as client:
        with working("adding up"):
            found = break_down(client, by, parameters, cost=cost, share=share, before=before, currency=currency)
        try:
            found = found.sorted_by(sort) if sort else found
        except SortError as error:
            raise click.BadParameter(str(error), param_hint="--sort") from None
        for sentence in hints(client, parameters) if not found.rows else ():
            note(sentence)
        summed = days_from_sums(client, by, parameters, cost=cost) if not currency and output_format in ("table", "vertical") and found.rows else 0
        removed = kept(client, by, parameters, currency=currency)
        if output_format == PARQUET:
            _write_parquet(client, found.first(limit or 0))
    if output_format in ("table", "vertical"):
        _show(found, by, limit=MOST_ROWS if limit is None else limit, vertical=output_format == "vertical", ranged=bool(start or end))
        _note(before if found.rows else None, timezone, summed)
        if cost and found.rows and not any(row["calls"] != row["unpriced_calls"] + row["uncounted_calls"] for row in found.rows):
            note("no call here has a price: tokentrail prices update loads the public list, tokentrail prices load FILE your own")
    elif output_format != PARQUET:
        _write(found.first(limit or 0), output_format)
    _note_removed(removed)
    if output_format not in ("table", "vertical") and limit and len(found.rows) > limit:
        print_more_rows(limit)


def _note(before: tuple[str, str] | None, timezone: str, summed: int) -> None:
    """Says what a table was made from."""
    if before:
        note(f"change: against {_moment(before[0], timezone)} to {_moment(before[1], timezone)}")
    if summed:
        note(f"{counted(summed, 'day')} from the sums by day (tokentrail rollup), the rest from the ledger")


def _note_removed(removed: Kept | None) -> None:
    """Says whether a report has what retention has removed."""
    if removed is None:
        return
    calls = f"{counted(removed.calls, 'call')} from {removed.first} to {removed.last}"
    if removed.counted:
        note(f"{calls} by the sums that retention has kept: their usages are removed")
    else:
        note(f"without {calls}, of which retention has kept sums by day alone: not by hour, in another zone or currency, by operation_id or metadata")


def _refuse_empty(start: str | None, end: str | None) -> None:
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from is not before --to: the range is empty (--to is excluded).")


def _period_before(by: list[str], start: str | None, end: str | None, timezone: str) -> tuple[tuple[str, str], str]:
    """Returns the bounds of the period before, and the end of this one."""
    if start is None:
        raise click.UsageError("--change compares with the period before: give --from, such as --from 7d or --from month.")
    times = [name for name in by if name in TIMES]
    if times:
        raise click.UsageError(f"--change compares two periods, and {times[0]} divides each: leave it out of --by.")
    first, last, until = period_before(start, end, parse_zone(timezone))
    return (first, last), until


def _moment(written: str, timezone: str) -> str:
    zone = parse_zone(timezone)
    return datetime.fromisoformat(f"{written}+00:00").astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _values(found: Breakdown) -> list[list[Any]]:
    return [[row[name] for name in (*found.dimensions, *found.measures)] for row in found.rows]


def _write_parquet(client: Client, found: Breakdown) -> None:
    columns = [*found.dimensions, *found.measures]
    echo_parquet(client, columns, [found.types[name] for name in columns], _values(found))


def _write(found: Breakdown, output_format: str) -> None:
    """Writes a report for programs."""
    echo_batches([*found.dimensions, *found.measures], [_values(found)], output_format, limit=0)


def _show(found: Breakdown, by: list[str], *, limit: int, vertical: bool, ranged: bool) -> None:
    """Prints a report for people."""
    if not found.rows:
        click.echo("no usage in this range" if ranged else "no usage yet" if not chosen() else "no usage with these values")
        return
    if "cost" in found.measures:
        by, rows = _with_currency(by, found.rows)
        found = replace(found, rows=rows, total=_rounded(found.total))
    measures = [name for name in found.measures if name in _ALWAYS or any(row[name] for row in found.rows)]
    found = found.first(limit)
    headings = [_HEADINGS.get(name, name) for name in [*by, *measures]]
    shown = [_percent(row) for row in found.rows]
    # an empty cell would be read as a repetition of the cell above
    values = [[*("(none)" if row[name] == "" else row[name] for name in by), *(row[name] for name in measures)] for row in shown]
    rest, total = ([_percent(_rounded(sums))[name] for name in measures] if sums else [] for sums in (found.rest, found.total))
    others = f"({counted(found.left_out, 'other')})"
    counts = headings[len(by) :]
    if vertical:
        echo_batches(headings, [values], "vertical", limit=0, counts=counts)
        if rest:
            echo_beside(counts, {others: rest}, "vertical", counts=counts)
    else:
        values += [[others, *[""] * (len(by) - 1), *rest]] if rest else []
        footer = ["total", *[""] * (len(by) - 1), *total] if by and total else None
        print_table(headings, values, footer=footer, short=_SHORT, limit=0, counts=counts)
    if found.left_out:
        print_more_rows(limit)


def _rounded(sums: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _money(value) if name in ("cost", "cost_before") else value for name, value in sums.items()}

"""`tokentrail report`: sums tokens and calls by any dimensions."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.html import html_option, write_html
from tokentrail.cli.output import echo_batches, format_option, limit_option, print_table
from tokentrail.ledger.report import COSTS, DIMENSIONS, MEASURES, UnknownDimensionError, report
from tokentrail.ledger.times import parse_time
from tokentrail.wording import did_you_mean

__all__ = ["command"]

_HEADINGS = {name: name.removesuffix("_tokens").removesuffix("_calls").replace("_", " ") for name in (*MEASURES, *COSTS)}
"""Headings of a table's columns: tokens first, then calls and the sources of their counts."""

_SHORT = {"reasoning": "reas.", "reported": "rep.", "estimated": "est.", "unknown": "unk.", "partial": "part."}
"""Short headings for narrow terminals."""

_MILLIONTH = Decimal("0.000001")

_ALWAYS = ("input_tokens", "output_tokens", "calls", "cost")
"""Measures that a table shows even if they are 0 or not stated in every row."""


def _dimensions(_context: click.Context, _parameter: click.Parameter, value: str) -> list[str]:
    by = [name.strip() for name in value.split(",") if name.strip()]
    for name in by:
        if name not in DIMENSIONS:
            raise click.BadParameter(f"there is no dimension {name!r}.{did_you_mean(name, DIMENSIONS)} Use some of {', '.join(DIMENSIONS)}.")
    return list(dict.fromkeys(by))


def _time(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _with_currency(by: list[str], rows: list[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Returns the dimensions and rows for people: the currency where there are several, and costs without digits that nobody pays."""
    several = len({row["currency"] for row in rows if row["currency"]}) > 1
    return [*by, "currency"] if several else by, [{**row, "cost": _money(row["cost"])} for row in rows]


def _money(cost: Decimal | None) -> Decimal | None:
    return cost if not cost or abs(cost) < _MILLIONTH else cost.quantize(_MILLIONTH)


def _total(rows: list[dict[str, Any]], name: str) -> Any:
    """Returns the sum of a measure over rows; None for money in several currencies."""
    known = [row for row in rows if row[name] is not None]
    if not known or (name == "cost" and len({row["currency"] for row in known}) > 1):
        return None
    return sum((row[name] for row in known), start=Decimal(0)) if name == "cost" else sum(row[name] for row in known)


@click.command(name="report")
@dsn_option
@click.option("--by", default="provider,model", show_default=True, callback=_dimensions, help="Dimensions, separated by commas; '' for one total.")
@click.option("--from", "start", callback=_time, help="From this time on, UTC: 2026-11-01, 2026-11, today, yesterday, month, 7d, …")
@click.option("--to", "end", callback=_time, help="Up to this time, itself excluded.")
@click.option("--cost", is_flag=True, help="What it costs too, by the prices at the time of each call (tokentrail prices).")
@click.option("--tenant", "tenants", multiple=True, help="Only this tenant; may be repeated.")
@html_option
@format_option
@limit_option
def command(
    *,
    dsn: str,
    by: list[str],
    start: str | None,
    end: str | None,
    cost: bool,
    tenants: tuple[str, ...],
    html: Path | None,
    output_format: str,
    limit: int | None,
) -> None:
    """Tokens and calls, each counted once.

    `model` is the model that answered, or the requested one where the answer names none. A dash (null in JSON) means that the number was not stated.
    `reported_calls`, `estimated_calls` and `unknown_calls` state the sources of the counts; `partial_calls` were cut short, `error_calls` failed.
    A table leaves out measures that are 0 or unstated in every row; json and csv have them all.
    With --cost there is a row for each currency, and one for the calls without a price, whose cost is not 0 but unknown: `unpriced_calls` have no
    price, `uncounted_calls` no tokens, and of `partly_calls` the cost is a lower bound.
    With --html there is one page for a browser instead, which needs nothing but itself: totals and their change, trends, who spent what and for what,
    caches, how sure the numbers are, and whether anything is missing.

    \b
    Example:
        tokentrail report --by tenant_id,model --from 2026-11-01 --to 2026-12-01
        tokentrail report --html usage.html --from 30d
    """
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from is not before --to: the range is empty (--to is excluded).")
    if html is not None:
        write_html(dsn, html, start=start, end=end, tenants=tenants)
        return
    try:
        with opened(dsn) as client:
            rows = report(client, by, start=start, end=end, tenants=tenants, cost=cost)
            whole = report(client, (), start=start, end=end, tenants=tenants)[0] if output_format == "table" and rows and by else None
    except UnknownDimensionError as error:
        raise Misuse(str(error)) from None
    every = [*MEASURES, *(COSTS if cost else ())]
    if output_format in ("table", "vertical"):
        if not rows:
            click.echo("no usage in this range" if start or end else "no usage yet")
            return
        if cost:
            by, rows = _with_currency(by, rows)
        measures = [name for name in every if name in _ALWAYS or any(row[name] for row in rows)]
        headings = [_HEADINGS.get(name, name) for name in [*by, *measures]]
    else:
        by = [*by, "currency"] if cost else by
        measures, headings = every, [*by, *every]
    unnamed = "(none)" if output_format in ("table", "vertical") else ""  # an empty cell would be read as a repetition of the cell above
    values = [[*(unnamed if row[name] == "" else row[name] for name in by), *(row[name] for name in measures)] for row in rows]
    counts = headings[len(by) :]
    if output_format != "table":
        echo_batches(headings, [values], output_format, limit=limit, counts=counts)
        return
    footer = ["total", *[""] * (len(by) - 1), *(whole[name] if name in whole else _total(rows, name) for name in measures)] if whole else None
    print_table(headings, values, footer=footer, short=_SHORT, limit=limit, counts=counts)

"""Rows as a table for people, as JSON for programs, as CSV for spreadsheets; all but tables in constant memory, as they come."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import Any, Final, TypeVar

import click
import msgspec

from tokentrail.cli.stdout import rule_sign, terminal_width, write_bytes, write_text
from tokentrail.cli.tables import is_empty, plain, table, vertical
from tokentrail.wording import counted

__all__ = ["FORMATS", "MOST_ROWS", "echo_batches", "echo_beside", "echo_rows", "format_option", "limit_option", "print_table"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

FORMATS: Final = ("table", "json", "csv", "vertical")
MOST_ROWS: Final = 1000
"""Rows that a person is shown, unless more are asked for."""

BLOCK: Final = 10_000
"""Rows of a table whose columns are measured together, and held in memory for that: what is longer becomes several tables."""

_JSON: Final = msgspec.json.Encoder(decimal_format="number")

Row = Sequence[Any]


def format_option(function: _Decorated) -> _Decorated:
    """Add `--format` and `--json` to a command, which gets `output_format`."""
    kinds = click.Choice(FORMATS, case_sensitive=False)
    option = click.option("--format", "output_format", type=kinds, default="table", show_default=True, help="How to write the rows.")
    flag = click.option("--json", "output_format", flag_value="json", help="The same as --format json.")
    return option(flag(function))


def limit_option(function: _Decorated) -> _Decorated:
    """Add `--limit` to a command, which gets `limit`, or `None`."""
    return click.option(
        "--limit", type=click.IntRange(0), metavar="ROWS", help=f"At most this many rows; 0: all.  [default: {MOST_ROWS} in tables, else all]"
    )(function)


def echo_rows(columns: Sequence[str], rows: Sequence[Row], output_format: str) -> None:
    """Write rows that are all there."""
    echo_batches(columns, [rows], output_format, limit=0)


def echo_batches(
    columns: Sequence[str], batches: Iterable[Sequence[Row]], output_format: str, *, limit: int | None = None, counts: Container[str] = ()
) -> None:
    """Write rows to standard output as they come: a list of objects (json), a head and lines (csv), tables, or blocks (vertical).

    For people the digits of the columns `counts` are grouped; all other numbers (ids, years, ports) stand as they are. Of more rows than `limit`
    (0: no limit; `None`: MOST_ROWS for people, none for programs) only those are taken; a line on standard error says so.
    """
    for_people = output_format in ("table", "vertical")
    most = limit if limit is not None else MOST_ROWS if for_people else 0
    bounded = _Bounded(batches, most)
    writing = _WRITING[output_format]
    for piece in writing(columns, iter(bounded), counts=counts) if for_people else writing(columns, iter(bounded)):
        if isinstance(piece, bytes):
            write_bytes(piece)
        else:
            write_text(piece)
    if bounded.more:
        _say_more(most)


def echo_beside(columns: Sequence[str], sections: Mapping[str, Row], output_format: str) -> None:
    """Write rows that stand beside a table's or below its blocks, each under its title."""
    for title, row in sections.items():
        written = "".join(vertical(columns, [row], rule=rule_sign(), title=title)) if output_format == "vertical" else None
        write_text(written or f"\n{title}\n" + "".join(_block(columns, [row], first=1)))


def _say_more(shown: int) -> None:
    click.echo(
        f"… the first {counted(shown, 'row is', 'rows are')} shown, there are more: --limit 0 shows all, --format csv or json writes all", err=True
    )


class _Bounded:
    """Batches up to a number of rows; afterwards `more` says whether there was another one."""

    def __init__(self, batches: Iterable[Sequence[Row]], most: int) -> None:
        self._batches = batches
        self._most = most
        self.more = False

    def __iter__(self) -> Iterator[Sequence[Row]]:
        left = self._most
        for batch in self._batches:
            if self._most and len(batch) > left:
                self.more = True
                if left:
                    yield batch[:left]
                return
            left -= len(batch)
            yield batch


def _json(columns: Sequence[str], batches: Iterator[Sequence[Row]]) -> Iterator[bytes]:
    between = b"[\n"
    names = _numbered(columns)
    for batch in batches:
        if batch:
            yield between + b",\n".join(_JSON.encode(dict(zip(names, row, strict=True))) for row in batch)
            between = b",\n"
    yield b"[]\n" if between == b"[\n" else b"\n]\n"


def _numbered(columns: Sequence[str]) -> list[str]:
    """The columns' names, each once: an object holds a name once, so a repeated one is numbered (a, a_1, a_2), past names that are there already."""
    names: list[str] = []
    taken = set(columns)
    for name in columns:
        numbered = (f"{name}_{number}" for number in count(1))
        names.append(name if name not in names else next(each for each in numbered if each not in taken))
        taken.add(names[-1])
    return names


def _csv(columns: Sequence[str], batches: Iterator[Sequence[Row]]) -> Iterator[bytes]:
    for batch in chain([[columns]], batches):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([["" if value is None else plain(value) for value in row] for row in batch])
        yield buffer.getvalue().encode("utf-8", "replace")


def _by_blocks(batches: Iterator[Sequence[Row]]) -> Iterator[list[Row]]:
    rows = chain.from_iterable(batches)
    while block := list(islice(rows, BLOCK)):
        yield block


def _tables(columns: Sequence[str], batches: Iterator[Sequence[Row]], *, counts: Container[str]) -> Iterator[str]:
    before = 0
    for block in _by_blocks(batches):
        if before:
            yield "\n"
        yield from _block(columns, block, first=before + 1, counts=counts)
        before += len(block)
    if not before:
        yield from _block(columns, [], first=1)


def _block(columns: Sequence[str], rows: Sequence[Row], *, first: int, counts: Container[str] = ()) -> Iterator[str]:
    """A table; where it does not fit, one without the columns that are empty in every row; where that does not fit either, blocks."""
    width, rule = terminal_width(), rule_sign()
    written = table(columns, rows, width=width, rule=rule, counts=counts)
    if written is not None:
        yield written
        return
    kept = [at for at in range(len(columns)) if not rows or not all(is_empty(row[at]) for row in rows)]
    names, values = [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]
    yield table(names, values, width=width, rule=rule, counts=counts) or "".join(vertical(names, values, rule=rule, first=first, counts=counts))
    if len(kept) < len(columns):
        empty = [name for at, name in enumerate(columns) if at not in kept]
        said = f"left out, empty in every row: {', '.join(empty)}"
        yield (said if width is None else textwrap.fill(said, width, break_long_words=False, break_on_hyphens=False)) + "\n"


def _blocks(columns: Sequence[str], batches: Iterator[Sequence[Row]], *, counts: Container[str]) -> Iterator[str]:
    first = 1
    for batch in batches:
        yield "".join(vertical(columns, batch, rule=rule_sign(), first=first, counts=counts))
        first += len(batch)


_WRITING: Final[dict[str, Callable[..., Iterator[bytes] | Iterator[str]]]] = {
    "json": _json,
    "csv": _csv,
    "table": _tables,
    "vertical": _blocks,
}


def print_table(
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    footer: Row | None = None,
    title: str | None = None,
    short: Mapping[str, str] | None = None,
    limit: int | None = 0,
    counts: Container[str] = (),
) -> None:
    """Print a table that is all there; where the terminal is too narrow for it, one block a row. Numbers stand right, NULL is a dash.

    The digits of the columns `counts` are grouped; numbers of records, which ranges name too, stand as they are. Names are folded where that spares
    the blocks.
    Of more rows than `limit` (0: no limit; `None`: MOST_ROWS) only those are shown, and a line on standard error says so.
    """
    most = MOST_ROWS if limit is None else limit
    more = bool(most) and len(rows) > most
    rows = rows[:most] if most else rows
    rule = rule_sign()
    written = table(columns, rows, width=terminal_width(), rule=rule, footer=footer, short=short, counts=counts, names_may_fold=True)
    if written is None:
        written = "".join(vertical(columns, rows, rule=rule, counts=counts))
        if footer is not None:
            summed = [at for at, value in enumerate(footer) if not isinstance(value, str)]  # the rest are texts that belong to a line
            written += "".join(vertical([columns[at] for at in summed], [[footer[at] for at in summed]], rule=rule, title="total", counts=counts))
    write_text("\n" + (f"{title}\n" if title else "") + written + "\n")
    if more:
        _say_more(most)

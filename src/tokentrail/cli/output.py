"""Writes rows as tables for people, JSON for programs, CSV for spreadsheets; all but tables stream in constant memory."""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import Any, Final, TypeVar

import click
import msgspec

from tokentrail.cli.json_flag import json_flag, json_if_asked
from tokentrail.cli.stdout import is_terminal, note, refuse_binary, rule_sign, terminal_width, write_bytes, write_text
from tokentrail.cli.suggest import Choice
from tokentrail.cli.tables import is_empty, is_number, plain, shown, steers, table, vertical
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.spreadsheets import no_formula, write_lines
from tokentrail.wording import counted

__all__ = [
    "FORMATS",
    "MOST_ROWS",
    "PARQUET",
    "echo_batches",
    "echo_beside",
    "echo_parquet",
    "echo_rows",
    "format_option",
    "format_or_parquet_option",
    "harmless",
    "limit_option",
    "print_more_rows",
    "print_table",
]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

FORMATS: Final = ("table", "json", "csv", "vertical", "markdown")
PARQUET: Final = "parquet"
"""A further format of `report` and `query`, written by ClickHouse."""
MOST_ROWS: Final = 1000
"""Rows that are shown to people, unless `--limit` asks for more."""

BLOCK: Final = 10_000
"""Rows of one table, which are held in memory to measure the columns: more rows become several tables."""

_JSON: Final = msgspec.json.Encoder(decimal_format="number")

_TEXTS: Final = msgspec.json.Encoder(decimal_format="string")
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.ASCII)

Row = Sequence[Any]


def format_option(function: _Decorated, *, formats: Sequence[str] = FORMATS) -> _Decorated:
    """Adds `--format` and `--json` to a command, which gets `output_format`."""
    kinds = Choice(formats, case_sensitive=False)
    option = click.option(
        "--format", "output_format", type=kinds, default="table", show_default=True, callback=json_if_asked, help="How to write the rows."
    )
    return option(json_flag(function))


def format_or_parquet_option(function: _Decorated) -> _Decorated:
    """Adds `--format` with Parquet too: see `echo_parquet`."""
    return format_option(function, formats=(*FORMATS, PARQUET))


def limit_option(function: _Decorated) -> _Decorated:
    """Adds `--limit` to a command, which gets `limit`, or `None`."""
    return click.option(
        "--limit", type=click.IntRange(0), metavar="ROWS", help=f"At most this many rows; 0: all.  [default: {MOST_ROWS} in tables, else all]"
    )(function)


def echo_rows(columns: Sequence[str], rows: Sequence[Row], output_format: str) -> None:
    """Writes a complete list of rows."""
    echo_batches(columns, [rows], output_format, limit=0)


def echo_batches(
    columns: Sequence[str], batches: Iterable[Sequence[Row]], output_format: str, *, limit: int | None = None, counts: Container[str] = ()
) -> None:
    """Writes rows to standard output as they arrive: a list of objects (json), a head and lines (csv), tables, or blocks (vertical).

    For people the digits of the columns `counts` are grouped; other numbers (ids, years, ports) are not. Only `limit` rows are written (0: no
    limit; `None`: MOST_ROWS for people, none for programs); a line on standard error reports further rows.
    """
    for_people = output_format in ("table", "vertical")
    most = limit if limit is not None else MOST_ROWS if for_people else 0
    bounded = _Bounded(batches, most)
    writing = _WRITING[output_format]
    for piece in writing(columns, iter(bounded), counts=counts) if for_people else writing(columns, iter(bounded)):
        if isinstance(piece, bytes):
            write_bytes(harmless(piece, in_json=output_format == "json") if is_terminal() else piece)
        else:
            write_text(piece)
    if bounded.more:
        print_more_rows(most)


def echo_beside(columns: Sequence[str], sections: Mapping[str, Row], output_format: str, *, counts: Container[str] = ()) -> None:
    """Writes additional rows, such as totals, below a table or blocks, each under its title."""
    for title, row in sections.items():
        written = "".join(vertical(columns, [row], rule=rule_sign(), title=title, counts=counts)) if output_format == "vertical" else None
        write_text(written or f"\n{title}\n" + "".join(_block(columns, [row], first=1)))


def echo_parquet(client: Client, columns: Sequence[str], types: Sequence[str], rows: Iterable[Row]) -> None:
    """Writes rows as Parquet: ClickHouse makes the file, with the columns' types. Raises `Misuse` at a terminal."""
    refuse_binary("Parquet")
    kinds = ["String" if kind.startswith(("Enum", "LowCardinality(")) else kind for kind in types]
    structure = ", ".join(f"{identifier(name)} {kind}" for name, kind in zip(columns, kinds, strict=True))
    lines = b"\n".join(_TEXTS.encode(row) for row in rows).decode()
    sql = f"SELECT * FROM format(JSONCompactEachRow, '{_literal(structure)}', '{_literal(lines)}')"
    with client.stream(sql, "Parquet", read_only=True, settings={"max_query_size": str(len(sql.encode()) + 1)}) as answer:
        for piece in answer.pieces:
            write_bytes(piece)


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def harmless(data: bytes, *, in_json: bool) -> bytes:
    """Escapes what would steer the terminal."""
    text = data.decode("utf-8", "replace")
    if all(sign == "\n" or sign.isprintable() for sign in text):
        return data
    escape: Callable[[str], str] = (lambda sign: json.dumps(sign)[1:-1]) if in_json else shown
    return "".join(escape(sign) if sign != "\n" and steers(sign) else sign for sign in text).encode()


def print_more_rows(rows: int) -> None:
    """Prints to standard error that only the first `rows` rows are shown."""
    note(f"… the first {counted(rows, 'row is', 'rows are')} shown, there are more: --limit 0 shows all, --format csv or json writes all")


class _Bounded:
    """Iterates over batches up to a number of rows; afterwards `more` is true if there were further rows."""

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
    names = number_repeated(columns)
    for batch in batches:
        if batch:
            yield between + b",\n".join(_JSON.encode(dict(zip(names, row, strict=True))) for row in batch)
            between = b",\n"
    yield b"[]\n" if between == b"[\n" else b"\n]\n"


def number_repeated(columns: Sequence[str]) -> list[str]:
    """Makes the columns' names unique, as JSON objects require: a repeated name is numbered (a, a_1, a_2), with numbers that are not in use."""
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
        write_lines(buffer, ([_cell(value) for value in row] for row in batch))
        yield buffer.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    """Returns a value's text. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    text = plain(value)
    return no_formula(text) if isinstance(value, str) and not _NUMBER.fullmatch(text) else text


def _markdown(columns: Sequence[str], batches: Iterator[Sequence[Row]]) -> Iterator[bytes]:
    waiting = next((batch for batch in batches if batch), [])
    numbers = [any(is_number(row[at]) for row in waiting) for at in range(len(columns))]
    yield f"| {' | '.join(map(_escaped, columns))} |\n|{''.join(' ---: |' if number else ' --- |' for number in numbers)}\n".encode()
    for batch in chain([waiting], batches):
        yield "".join(f"| {' | '.join('' if value is None else _escaped(value) for value in row)} |\n" for row in batch).encode("utf-8", "replace")


def _escaped(value: Any) -> str:
    """Returns a value's text, in which nothing has a meaning for Markdown or HTML."""
    if is_number(value):
        return plain(value)
    return re.sub(r"([\\`*_\[\]{}()#+!|~>$:@-])", r"\\\1", shown(value).replace("\n", " ")).replace("&", "&amp;").replace("<", "&lt;")


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
    """Formats rows as a table; if the table is too wide, without columns that are empty in every row; if that is too wide, as blocks."""
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
        sentence = f"left out, empty in every row: {', '.join(empty)}"
        yield (sentence if width is None else textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False)) + "\n"


def _blocks(columns: Sequence[str], batches: Iterator[Sequence[Row]], *, counts: Container[str]) -> Iterator[str]:
    first = 1
    for batch in batches:
        yield "".join(vertical(columns, batch, rule=rule_sign(), first=first, counts=counts))
        first += len(batch)


_WRITING: Final[dict[str, Callable[..., Iterator[bytes] | Iterator[str]]]] = {
    "json": _json,
    "csv": _csv,
    "markdown": _markdown,
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
    """Prints a complete table, or one block per row if the terminal is too narrow. Numbers are right-aligned, NULL is a dash.

    The digits of the columns `counts` are grouped; numbers of records, which also occur in ranges, are not. Names are folded if that avoids blocks.
    Only the first `limit` rows are shown (0: no limit; `None`: MOST_ROWS); a line on standard error reports further rows.
    """
    most = MOST_ROWS if limit is None else limit
    more = bool(most) and len(rows) > most
    rows = rows[:most] if most else rows
    rule = rule_sign()
    written = table(columns, rows, width=terminal_width(), rule=rule, footer=footer, short=short, counts=counts, names_may_fold=True)
    if written is None:
        written = "".join(vertical(columns, rows, rule=rule, counts=counts))
        if footer is not None:
            summed = [at for at, value in enumerate(footer) if not isinstance(value, str)]  # the rest are texts for the line below the table
            written += "".join(vertical([columns[at] for at in summed], [[footer[at] for at in summed]], rule=rule, title="total", counts=counts))
    write_text("\n" + (f"{title}\n" if title else "") + written + "\n")
    if more:
        print_more_rows(most)

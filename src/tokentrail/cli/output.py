"""Rows as a table for people, as JSON for programs, as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["echo_rows", "format_option", "print_table"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

NARROW = 160
"""Columns that a table may take where standard output is no terminal."""


def format_option(function: _Decorated) -> _Decorated:
    """Add `--format` and `--json` to a command, which gets `output_format`."""
    option = click.option(
        "--format", "output_format", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="How to write the rows."
    )
    flag = click.option("--json", "output_format", flag_value="json", help="The same as --format json.")
    return option(flag(function))


def echo_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], output_format: str) -> None:
    """Write rows to standard output: a list of objects (json), a head and lines (csv), or a table."""
    if output_format == "json":
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    elif output_format == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if value is None else _plain(value) for value in row] for row in rows])
        click.echo(buffer.getvalue(), nl=False)
    else:
        print_table(columns, rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, footer: Sequence[Any] | None = None, title: str | None = None) -> None:
    """Print a table; numbers stand right and grouped, `None` is a dash. Text is shown as it is, never as markup."""
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", show_footer=footer is not None, pad_edge=False)
    for position, name in enumerate(columns):
        numeric = any(_is_number(row[position]) for row in rows)
        foot = Text(_shown(footer[position])) if footer is not None else ""
        table.add_column(Text(name), foot, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(value)) for value in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, NARROW)
    console.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if _is_number(value):
        return f"{value:,}"
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)

"""`tokentrail query`: lists the questions that are written down, and asks one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.filters import hints, note_period
from tokentrail.cli.output import PARQUET, echo_batches, echo_parquet, format_or_parquet_option, limit_option, print_table
from tokentrail.cli.stdout import note
from tokentrail.cli.tables import is_empty
from tokentrail.cli.working import working
from tokentrail.clickhouse.lists import FILTERS
from tokentrail.ledger.dimensions import METADATA
from tokentrail.ledger.query import Query, QueryError, answer, questions, read
from tokentrail.ledger.values import parse_parameters
from tokentrail.wording import did_you_mean

__all__ = ["command"]

_COUNTED = ("tokens", "calls", "requests")
"""What the names of columns end in or begin with whose digits are grouped."""


def _parameters(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{value!r} is not name=value.")
        given.setdefault(name, []).append(text)
    return given


def _complete_question(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=read(name).title) for name in questions() if name.startswith(incomplete)]


def _complete_parameter(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the name of a parameter of the question, or a value that it may have."""
    known = questions()
    # an option without its value yet ends click's parsing: then the question is among the words that are left
    question = next((word for word in (context.params.get("name"), *context.args) if word in known), None)
    if question is None:
        return []
    begun, equals, _ = incomplete.partition("=")
    wanted = read(question).parameters
    if not equals:
        return [CompletionItem(f"{each.name}=", help=each.text) for each in wanted if each.name.startswith(begun)]
    values = [f"{begun}={choice}" for each in wanted if each.name == begun for choice in each.choices]
    values += [f"where={name}=" for name in (*FILTERS, METADATA)] if begun == "where" else []
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


@click.command(name="query")
@click.argument("name", required=False, shell_complete=_complete_question)
@click.option(
    "-p",
    "--param",
    "parameters",
    multiple=True,
    shell_complete=_complete_parameter,
    metavar="NAME=VALUE",
    callback=_parameters,
    help="A parameter; again for a list.",
)
@click.option("--describe", is_flag=True, help="Print the question's parameters, columns and SQL, and ask nothing.")
@dsn_option
@format_or_parquet_option
@limit_option
def command(*, name: str | None, parameters: dict[str, list[str]], describe: bool, dsn: str, output_format: str, limit: int | None) -> None:
    """Ask the ledger one of the questions that are written down; without NAME, list them.

    Most questions take from and to (2026-11-01, today, yesterday, month, 7d …; from 2026-11 alone is the whole month; UTC, or the zone of the
    parameter timezone) and can be asked for some tenants, operations, providers, models, services and environments only.
    docs/queries.md describes each; its names, parameters and columns are to rely on.

    \b
    Example:
        tokentrail query tokens -p by=tenant_id -p from=month
        tokentrail query response_cache -p from=7d -p tenants=acme -p tenants=globex
        tokentrail query losses --format csv
    """
    if name is None:
        if parameters or describe:
            raise click.UsageError("no question is named: tokentrail query NAME.")
        _list(output_format, limit)
        return
    query = _read(name)
    if describe:
        click.echo(_described(query), nl=False)
        return
    try:
        values = parse_parameters(query, parameters)
    except QueryError as error:
        raise Misuse(str(error)) from None
    if "to" in values and "to" not in parameters:
        note_period(parameters["from"][0], str(values["to"]))
    with opened(dsn) as client:
        with working("asking"):
            found = answer(client, name, values)
        for sentence in hints(client, values) if not found.rows else ():
            note(sentence)
        if output_format == PARQUET:
            rows = found.rows[:limit] if limit else found.rows
            echo_parquet(client, found.columns, found.types, rows)
            return
    columns, rows = found.columns, found.rows
    if not rows and output_format in ("table", "vertical"):
        click.echo("no rows")
        return
    kept = _stated(columns, rows) if output_format == "table" else list(range(len(columns)))
    names, shown = [columns[at] for at in kept], [[row[at] for at in kept] for row in rows]
    counts = [column for column in names if column.startswith(_COUNTED) or column.endswith(_COUNTED)]
    echo_batches(names, [shown], output_format, limit=limit, counts=counts)
    if len(kept) < len(columns):
        left_out = ", ".join(name for at, name in enumerate(columns) if at not in kept)
        note(f"left out, empty or 0 in every row: {left_out} (--format vertical shows all)")


def _stated(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """Returns the places of the columns that are not empty or 0 in every row; all where nothing else would be left."""
    kept = [at for at, name in enumerate(columns) if at == 0 or name in _COUNTED or any(row[at] and not is_empty(row[at]) for row in rows)]
    return kept if rows and len(kept) > 1 else list(range(len(columns)))


def _read(name: str) -> Query:
    known = questions()
    if name not in known:
        raise Misuse(f"there is no question {name!r}.{did_you_mean(name, known)} tokentrail query lists them.")
    return read(name)


def _list(output_format: str, limit: int | None) -> None:
    if output_format == PARQUET:
        raise click.UsageError("the list of questions is no table of Parquet: name a question, or take --format json.")
    rows = [(query.name, query.title, query.asked_by) for query in map(read, questions())]
    if output_format == "table":
        print_table(["name", "question", "asked by"], rows, limit=limit)
    else:
        echo_batches(["name", "question", "asked_by"], [rows], output_format, limit=limit)


def _described(query: Query) -> str:
    """Returns all that a question says of itself."""
    lines = [f"{query.name}: {query.title}", f"asked by {query.asked_by}; unit: {query.unit}"]
    if query.notes:
        lines.append(query.notes)
    lines.append("\nparameters:")
    for each in query.parameters:
        default = "has to be given" if each.default is None else f"default {each.default}" if each.default else "default: none"
        choices = f" One of {', '.join(each.choices)}." if each.choices else ""
        lines.append(f"  {each.name} ({each.type}; {default}): {each.text}.{choices}")
    lines += ["\ncolumns:", *(f"  {column.name}: {column.text}" for column in query.columns), "", query.sql, ""]
    return "\n".join(lines)

"""`tokentrail sql`: runs one statement on the ledger."""

from __future__ import annotations

import difflib
import sys
from contextlib import ExitStack

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.json_flag import json_flag, json_if_asked
from tokentrail.cli.output import FORMATS, echo_batches, echo_beside, limit_option
from tokentrail.cli.stdout import refuse_binary, say, write_bytes
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.errors import READONLY, ClickHouseError
from tokentrail.clickhouse.rows import Batches, whole
from tokentrail.clickhouse.streams import ROWS, WHOLE, Stream
from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.statement import beside_rows, select

__all__ = ["command"]

_NO_OUTFILE, _UNKNOWN_FORMAT = 196, 73

_DENORMALS = {"output_format_json_quote_denormals": "1"}
"""Makes ClickHouse write nan and inf as texts, since JSON has no such numbers; without this setting they become NULL."""


@click.command(name="sql")
@click.argument("statement")
@dsn_option
@click.option("--write", is_flag=True, help="Allow a statement that changes something.")
@click.option(
    "--format",
    "output_format",
    default="table",
    show_default=True,
    callback=json_if_asked,
    metavar="|".join([*FORMATS, "FORMAT"]),
    help="How to write the rows; also any format of ClickHouse, e.g. Parquet.",
)
@json_flag
@limit_option
def command(*, statement: str, dsn: str, write: bool, output_format: str, limit: int | None) -> None:
    """Run STATEMENT (- reads it from standard input) in the ledger's database and print its rows.

    The statement runs read-only: ClickHouse itself refuses changes, unless --write is given. Rows are printed as they arrive; a table shows the
    first 1,000, and becomes one block per row if the terminal is too narrow. A FORMAT clause is honoured: its bytes are passed through.
    In json a name that comes again is numbered (a, a_1, a_2), and nan and inf are null. Totals and extremes stand below a table.

    \b
    Example:
        tokentrail sql "SELECT tenant_id, sum(input_tokens) FROM usage GROUP BY tenant_id"
        tokentrail sql "SELECT * FROM usage" --format csv > usage.csv
        tokentrail sql "SELECT * FROM usage FORMAT Parquet" > usage.parquet
    """
    text = _read(statement).strip().rstrip(";").strip()
    if not text:
        raise click.UsageError("there is no statement to run.")
    with opened(dsn) as client:
        try:
            _run(client, text, write=write, output_format=output_format, limit=limit)
        except ClickHouseError as error:
            raise _misuse_of(error, write=write, output_format=output_format) from None


def _read(statement: str) -> str:
    if statement != "-":
        return statement
    if sys.stdin is None:
        raise Misuse("standard input is closed: give it the statement, or write the statement in place of -.")
    try:
        return sys.stdin.read().encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError as error:
        raise Misuse(f"the statement on standard input is no text: byte {error.start + 1} does not fit {error.encoding}.") from None


def _run(client: Client, text: str, *, write: bool, output_format: str, limit: int | None) -> None:
    own_format = output_format in FORMATS and not _names_format(text)
    beside = beside_rows(text.encode()) if own_format else []
    wanted = output_format if output_format not in FORMATS else WHOLE if beside and output_format in ("table", "vertical") else ROWS
    with ExitStack() as open_answer:
        with working("running"):
            answer = open_answer.enter_context(client.stream(text, wanted, read_only=not write, settings=_DENORMALS if own_format else None))
            batches = Batches(answer) if own_format and answer.format == wanted == ROWS else None
        if not own_format or answer.format != wanted:
            _pass_through(answer, limit)
        elif wanted == WHOLE:
            found = whole(answer)
            if found.columns:
                echo_batches(found.columns, [found.rows], output_format, limit=limit)
                echo_beside(found.columns, found.beside, output_format)
        elif batches is not None and batches.columns:
            echo_batches(batches.columns, batches, output_format, limit=limit)
            if beside:
                say(f"… {' and '.join(beside)} are not among the rows: a table shows them, and FORMAT JSON in the statement too", err=True)


def _names_format(text: str) -> bool:
    """Whether the statement has a FORMAT clause."""
    try:
        return bool(select(text.encode()).format)
    except EngineError:  # ClickHouse accepted a text that `select` refuses
        return False


def _pass_through(answer: Stream, limit: int | None) -> None:
    if limit:
        raise Misuse(f"--limit cuts rows, not bytes of {answer.format}: write LIMIT {limit} into the statement.")
    refuse_binary(answer.format)
    for piece in answer.pieces:
        write_bytes(piece)


def _misuse_of(error: ClickHouseError, *, write: bool, output_format: str) -> Misuse:
    sentence = str(error)
    if error.code == READONLY and not write:
        return Misuse(f"{sentence} `tokentrail sql` reads only: give --write to change something.")
    if error.code == _NO_OUTFILE:
        return Misuse(f'{sentence} The file would lie where ClickHouse runs: redirect standard output, `… FORMAT CSV" > file.csv`.')
    if error.code == _UNKNOWN_FORMAT:
        meant = difflib.get_close_matches(output_format.lower(), FORMATS, n=1)
        return Misuse(f"{sentence}{f' Did you mean {meant[0]}?' if meant and output_format not in FORMATS else ''}")
    return Misuse(sentence)

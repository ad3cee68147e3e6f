"""`tokentrail sql`: one statement against the ledger."""

from __future__ import annotations

import sys

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.output import echo_rows, format_option

__all__ = ["command"]


@click.command(name="sql")
@click.argument("statement")
@dsn_option
@click.option("--write", is_flag=True, help="Allow a statement that changes something.")
@format_option
def command(*, statement: str, dsn: str, write: bool, output_format: str) -> None:
    """Run STATEMENT (- reads it from standard input) in the ledger's database and print its rows.

    It is run read-only: ClickHouse itself refuses whatever would change something, unless --write is given.

    \b
    Example:
        tokentrail sql "SELECT tenant_id, sum(input_tokens) FROM usage GROUP BY tenant_id"
    """
    text = (sys.stdin.read() if statement == "-" else statement).strip().rstrip(";").strip()
    if not text:
        raise click.UsageError("there is no statement to run.")
    with opened(dsn) as client:
        result = client.query(text, read_only=not write)
    if result.columns:
        echo_rows(result.columns, result.rows, output_format)

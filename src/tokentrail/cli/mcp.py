"""`tokentrail mcp`: the ledger's questions for assistants."""

from __future__ import annotations

import sys

import click

from tokentrail.cli.address import dsn_option

__all__ = ["command"]


@click.command(name="mcp")
@dsn_option
def command(*, dsn: str) -> None:
    """Offer the questions of `tokentrail query` to an assistant, read-only, over the Model Context Protocol.

    An assistant's program starts this command and speaks to it on standard input and output; the command ends with its input. Each question is a
    tool. Nothing can be changed, and no statement but the questions' own is run.

    \b
    In the assistant's configuration:
        {"mcpServers": {"tokentrail": {"command": "tokentrail", "args": ["mcp", "--dsn", "http://reader:password@clickhouse:8123/tokentrail"]}}}
    """
    from tokentrail.mcp.server import serve  # noqa: PLC0415 - a second of imports, which help and completion do not need

    if sys.stdin is not None and sys.stdin.isatty():
        click.echo("waiting for an assistant on standard input: this command is started by the assistant's program (see --help)", err=True)
    serve(dsn)

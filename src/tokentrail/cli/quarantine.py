"""`tokentrail quarantine`: lists and replays records that were not understood."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.output import echo_rows, format_option, print_table
from tokentrail.cli.suggest import Group
from tokentrail.cli.working import working
from tokentrail.ledger import quarantine
from tokentrail.wording import counted

__all__ = ["command"]

_reason_option = click.option("--reason", default="", help="Only records whose reason starts like this.")


@click.group(name="quarantine", cls=Group)
def command() -> None:
    """Records that the ledger did not understand, kept whole, with the reason.

    \b
    Example:
        tokentrail quarantine list
        tokentrail quarantine replay --reason "unknown schema"
    """


@command.command(name="list")
@dsn_option
@_reason_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most this many, the latest first.")
@format_option
def list_command(*, dsn: str, reason: str, limit: int, output_format: str) -> None:
    """List the records in quarantine, with all their attributes.

    \b
    Example:
        tokentrail quarantine list --reason "bad count" --json
    """
    with opened(dsn) as client:
        records = quarantine.listed(client, reason=reason, limit=limit)
        reasons = quarantine.reasons(client) if output_format == "table" else []
    columns = ["id", "reason", "event", "writer_id", "seq", "arrived_at", "ts", "service_name", "attributes"]
    if output_format != "table":
        echo_rows(columns, [[record[name] for name in columns] for record in records], output_format)
        return
    if not reasons:
        click.echo("quarantine is empty")
        return
    summary = ["reason", "records", "first", "last"]
    print_table(summary, [[row[name] for name in summary] for row in reasons], counts=["records"])
    print_table(columns[:-1], [[record[name] for name in columns[:-1]] for record in records])
    click.echo("--json shows all that they say")


@command.command(name="replay")
@dsn_option
@_reason_option
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def replay_command(*, dsn: str, reason: str, as_json: bool) -> None:
    """Try the records again, after a migration that understands more. Safe to repeat: each counts once, by its key.

    \b
    Example:
        tokentrail migrate && tokentrail quarantine replay
    """
    with opened(dsn) as client, working("replaying records"):
        replayed = quarantine.replay(client, reason=reason)
    if as_json:
        click.echo(json.dumps(asdict(replayed) | {"understood": replayed.understood}))
    else:
        click.echo(f"{counted(replayed.records, 'record')} replayed: {replayed.understood} understood, {replayed.remaining} still in quarantine")

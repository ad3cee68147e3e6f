"""`tokentrail migrate`: make or update a database's tables."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.clickhouse.dsn import DsnError, parse_dsn
from tokentrail.clickhouse.migrate import migrate, plan, steps
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["command"]


@click.command(name="migrate")
@dsn_option
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--sql", "show_sql", is_flag=True, help="Print the statements too.")
@click.option("--cluster", default="", help="Make the tables on a cluster: ON CLUSTER, Replicated engines, Distributed by key.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def command(*, dsn: str, dry_run: bool, show_sql: bool, cluster: str, as_json: bool) -> None:
    """Bring a ClickHouse's tables to the state that this version needs: the ledger, and the tables that the Collector's exporter fills.

    Safe to repeat. A migration whose text is not what was applied is refused.

    \b
    Example:
        tokentrail migrate --dsn http://default:secret@clickhouse:8123/tokentrail --dry-run
    """
    try:
        parsed = parse_dsn(dsn)
        target = Target(parsed.database, cluster)
    except (DsnError, ValueError) as error:
        raise Misuse(str(error)) from None
    if dry_run and parsed.scheme == "chdb" and not Path(parsed.folder).exists():
        done = steps(target)  # opening the engine would make the folder
    else:
        with opened(dsn, create=True) as client:
            done = plan(client, target) if dry_run else migrate(client, target)
    if as_json:
        listed = [{"kind": step.kind.value, "name": step.name, "checksum": step.checksum, "statements": step.statements} for step in done]
        click.echo(json.dumps({"database": target.database, "dry_run": dry_run, "applied": listed}, indent=2))
        return
    for step in done:
        click.echo(f"{'would apply' if dry_run else 'applied'}  {step.kind.value} {step.name}  ({len(step.statements)} statements)")
        if show_sql:
            click.echo("\n" + ";\n\n".join(step.statements) + ";\n")
    current = "would be current" if dry_run and done else "is current" if not done else "is current now"
    click.echo(f"database {target.database} {current}")

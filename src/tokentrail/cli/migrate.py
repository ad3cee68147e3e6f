"""`tokentrail migrate`: creates or updates a database's tables."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.dsn import DsnError, parse_dsn
from tokentrail.clickhouse.migrate import Kind, Step, lost_tables, lost_tables_sentence, migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.clickhouse.steps import bridge_steps, steps
from tokentrail.wording import counted

__all__ = ["command"]

_AGAIN = "`tokentrail verify` names it, and docs/operations.md says how it is read again."


@click.command(name="migrate")
@dsn_option
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--check", is_flag=True, help="Like --dry-run, with exit code 1 where anything would be done.")
@click.option("--sql", "show_sql", is_flag=True, help="Print the statements too.")
@click.option("--cluster", default="", help="Make the tables on a cluster: ON CLUSTER, Replicated engines, Distributed by key.")
@click.option("--empty-tables", is_flag=True, help="Create dropped tables again, without their data.")
@click.option(
    "--bridge",
    type=click.Choice(["on", "off"]),
    help="Count calls that only other instrumentations' spans and events tell of, in any language. Stays as it is set; off at first.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
def command(*, dsn: str, dry_run: bool, check: bool, show_sql: bool, cluster: str, empty_tables: bool, bridge: str | None, as_json: bool) -> None:
    """Bring a ClickHouse's tables to the state that this version needs: the ledger, and the tables that the Collector's exporter fills.

    Safe to repeat. A migration whose text differs from the applied text is refused. Dropped views are put back; a dropped table is
    reported, with exit code 1.

    \b
    Example:
        TOKENTRAIL_CLICKHOUSE_DSN=http://default:secret@clickhouse:8123/tokentrail tokentrail migrate --dry-run
    """
    try:
        parsed = parse_dsn(dsn)
        target = Target(parsed.database, cluster)
    except (DsnError, ValueError) as error:
        raise Misuse(str(error)) from None
    dry_run = dry_run or check
    if dry_run and parsed.scheme == "chdb" and not Path(parsed.folder).exists():
        done, lost = [*steps(target), *(bridge_steps(target) if bridge == "on" else [])], []  # opening the engine would create the folder
    else:
        with opened(dsn, create=True) as client:
            wanted = None if bridge is None else bridge == "on"
            done = plan(client, target, empty_tables=empty_tables, bridge=wanted) if dry_run else _migrate(client, target, empty_tables, wanted)
            lost = [] if dry_run and empty_tables else lost_tables(client, target)
    if as_json:
        listed = [
            {"kind": step.kind.value, "name": step.name, "reason": step.reason, "checksum": step.checksum, "statements": step.statements}
            for step in done
        ]
        say(as_json_text({"database": target.database, "dry_run": dry_run, "applied": listed, "lost_tables": lost}, indent=2))
        sys.exit(1 if lost or (check and done) else 0)
    for step in done:
        say(f"{_step_line(step, dry_run=dry_run)}  ({counted(len(step.statements), 'statement')})")
        if show_sql:
            say("\n" + ";\n\n".join(step.statements) + ";\n")
    dropped = [step.name for step in done if step.kind is Kind.DROPPED and not dry_run]
    if dropped:
        say(f"What arrived while {', '.join(dropped)} {'was' if len(dropped) == 1 else 'were'} missing may not have been counted: {_AGAIN}", err=True)
    if lost:
        say(f"database {target.database}: {lost_tables_sentence(lost)}", err=True)
        sys.exit(1)
    current = "would be current" if dry_run and done else "is current" if not done else "is current now"
    say(f"database {target.database} {current}")
    sys.exit(1 if check and done else 0)


def _step_line(step: Step, *, dry_run: bool) -> str:
    if step.kind is Kind.DROPPED:
        return f"{'would put back' if dry_run else 'put back'}  {step.name}"
    if step.kind is Kind.REMOVED:
        return f"{'would remove' if dry_run else 'removed'}  view {step.name}"
    why = f", which {step.reason}" if step.kind is Kind.DEFINITION and step.reason != "is new" else ""
    return f"{'would apply' if dry_run else 'applied'}  {step.kind.value} {step.name}{why}"


def _migrate(client: Client, target: Target, empty_tables: bool, bridge: bool | None) -> list[Step]:
    """Runs the steps and shows which one runs. An interrupted step is run again from its beginning by the next call."""
    begun: list[str] = []

    def begins(step: Step, steps: int) -> None:
        begun.append(f"{len(begun) + 1} of {steps}, {step.name}")

    try:
        with working("migrating", lambda: begun[-1] if begun else ""):
            return migrate(client, target, empty_tables=empty_tables, bridge=bridge, begins=begins)
    except KeyboardInterrupt:
        if begun:
            say(f"interrupted in step {begun[-1]}: run `tokentrail migrate` again, it goes on there", err=True)
        raise

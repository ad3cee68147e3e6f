"""`tokentrail restore`: a database from a backup, compared with what the backup states."""

from __future__ import annotations

import sys

import click

from tokentrail.backups.place import Place
from tokentrail.backups.restoring import Restored, restore
from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.backup import bandwidth_option, keys_given, place_given
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import print_table
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.working import working
from tokentrail.clickhouse.dsn import DsnError, parse_dsn
from tokentrail.clickhouse.migrate import Kind
from tokentrail.wording import counted, of_number

__all__ = ["command"]

_SYSTEM = ("default", "system", "information_schema")


@click.command(name="restore")
@click.argument("place", metavar="FROM")
@click.option(
    "--into", metavar="DATABASE", help="Restore under this name, beside the database that --dsn names: to compare, or to look something up."
)
@bandwidth_option
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
@dsn_option
def command(*, place: str, into: str | None, bandwidth: int | None, as_json: bool, dsn: str) -> None:
    """Restore the database that --dsn names from a backup of it, into a database that holds no rows.

    FROM is written as for `tokentrail backup`. The backup is looked at first; nothing is changed where it is not whole, or of a newer version. What
    was restored is then compared with what the backup states, a backup of a former version is migrated, and what arrived while the backup was made
    is read again, so that each record counts once. Exit code 1 if the comparison finds anything missing.

    Stop what writes into the database first: queues and journals keep it. A restore that was broken off leaves a mark in the database: run the
    command again, it begins anew. In the end `tokentrail verify` proves that nothing is missing.

    \b
    Example:  tokentrail restore monday --into tokentrail_copy
              tokentrail restore monday
    """
    where, keys = place_given(place), keys_given()
    try:
        backed_up = parse_dsn(dsn).database
    except DsnError as error:
        raise Misuse(str(error)) from None
    database = backed_up if into is None else into
    if len(database) < 2 or database.lower() in _SYSTEM:  # noqa: PLR2004 - the short names of queries have one letter
        raise Misuse(f"--into {database!r} will not do: name a database of two letters or more that is not the server's own.")
    begun: list[str] = []
    try:
        with opened(dsn, create=True) as client, working("restoring", lambda: begun[-1] if begun else ""):
            done = restore(client, where, keys, backed_up=backed_up, into=database, bandwidth=bandwidth or 0, began=begun.append)
    except KeyboardInterrupt:
        say(f"interrupted: database {database} is not whole; run `tokentrail restore` again, it begins anew", err=True)
        raise
    if as_json:
        say(as_json_text(_as_dict(done, where, database), indent=2))
    else:
        _show(done, where, database)
    sys.exit(0 if done.good else 1)


def _as_dict(done: Restored, place: Place, database: str) -> dict[str, object]:
    return {
        "backup": place.shown,
        "database": database,
        "began_at": done.began_at,
        "again": done.again,
        "good": done.good,
        "files": done.done.files,
        "bytes": done.done.bytes,
        "applied": [step.name for step in done.steps],
        "tables": None
        if done.compared is None
        else [
            {
                "table": each.stated.table,
                "stated": {"rows": each.stated.rows, "tokens": each.stated.tokens, "keys": each.stated.keys},
                "restored": {"rows": each.restored.rows, "tokens": each.restored.tokens, "keys": each.restored.keys} if each.restored else None,
                "said": each.said,
                "good": each.good,
            }
            for each in done.compared
        ],
    }


def _show(done: Restored, place: Place, database: str) -> None:
    compared = done.compared
    if compared is None:
        say(f"{place.shown} was not made by `tokentrail backup` and states no totals: nothing was compared")
    else:
        rows = [
            [
                each.stated.table,
                each.stated.rows,
                each.restored.rows if each.restored else None,
                each.restored.tokens if each.restored else None,
                each.restored.keys if each.restored else None,
                each.said,
            ]
            for each in compared
            if each.stated.rows or not each.good or (each.restored and each.restored.rows)
        ]
        columns = ["table", "rows in the backup", "rows", "tokens", "keys", "compared"]
        print_table(columns, rows, title=f"the backup of {done.began_at[:19]} UTC, and what was restored", counts=columns[1:-1])
    if done.again:
        click.echo("a former restore had been broken off: it was begun anew")
    migrations = sum(step.kind is Kind.MIGRATION for step in done.steps)
    if migrations:
        say(f"the backup is of a former version: {counted(migrations, 'migration')} applied")
    if len(done.steps) > migrations:
        say(f"{counted(len(done.steps) - migrations, 'view')} put in place")
    say(f"{place.shown}: database {database}, {counted(done.done.files, 'file')}, {counted(done.done.bytes, 'byte')}")
    if differing := sum(not each.good for each in compared or ()):
        say(f"✗ {counted(differing, 'table')} {of_number(differing, 'differs', 'differ')} from what the backup states")
    say(f"now run `tokentrail verify` on database {database}, which proves that nothing is missing")

"""`tokentrail backup`: every table and view of the database, as a backup of ClickHouse's own."""

from __future__ import annotations

import os
import time
import uuid
from datetime import datetime, timezone

import click

from tokentrail.backups.making import Backup, back_up
from tokentrail.backups.place import Keys, Place, PlaceError, parse, parse_keys
from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import print_table
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.working import working
from tokentrail.wording import counted

__all__ = ["bandwidth_option", "command", "keys_given", "place_given"]

bandwidth_option = click.option(
    "--bandwidth", type=click.IntRange(min=1), metavar="BYTES", help="At most so many bytes a second, for a server that has other work."
)


@click.command(name="backup")
@click.argument("to", required=False, metavar="[TO]")
@click.option("--base", metavar="PLACE", help="Keep only what is not in this former backup, which is needed to restore the new one.")
@bandwidth_option
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
@dsn_option
def command(*, to: str | None, base: str | None, bandwidth: int | None, as_json: bool, dsn: str) -> None:
    """Back up every table and view of the database, while all goes on, by ClickHouse's own BACKUP.

    TO is where: NAME or File('path'), which `tokentrail serve` writes into the folder `backups` of its data, and a server where its configuration
    allows it; Disk('name', 'path'); S3('url') or S3(collection, 'path'). Without TO the name is the database's with the time. Keys of S3 are read
    from TOKENTRAIL_BACKUP_S3_KEY and TOKENTRAIL_BACKUP_S3_SECRET, or are the server's own, and appear nowhere.

    The server writes the backup. One whose writing was broken off cannot be restored, and its name is not taken again. What no Collector has
    delivered is not in it: journals and queues keep that. `tokentrail restore` reads it.

    \b
    Example:  tokentrail backup
              tokentrail backup sunday
              tokentrail backup monday --base sunday
              tokentrail backup "S3('https://bucket.s3.eu-west-1.amazonaws.com/tokentrail/monday')"
    """
    former, keys = place_given(base) if base is not None else None, keys_given()
    place = None if to is None else place_given(to)
    if former is not None and former == place:
        raise Misuse("--base is the backup itself: name a former one.")
    begun: list[str] = []
    with opened(dsn) as client, working("backing up", lambda: begun[-1] if begun else ""):
        where = place or Place("File", (f"{client.database}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}",))
        began = time.monotonic()
        made = back_up(client, where, keys, number=str(uuid.uuid4()), base=former, bandwidth=bandwidth or 0, began=begun.append)
        seconds = time.monotonic() - began
    if as_json:
        say(as_json_text(_as_dict(made, where, former, seconds), indent=2))
        return
    _show(made, where, former)


def place_given(text: str) -> Place:
    """Parses a place. Raises `Misuse`."""
    try:
        return parse(text)
    except PlaceError as error:
        raise Misuse(f"{error}.") from None


def keys_given() -> Keys:
    """Reads the keys of S3 from the environment. Raises `Misuse`."""
    try:
        return parse_keys(os.environ)
    except PlaceError as error:
        raise Misuse(f"{error}.") from None


def _as_dict(made: Backup, place: Place, base: Place | None, seconds: float) -> dict[str, object]:
    return {
        "backup": place.shown,
        "base": base.shown if base else None,
        "began_at": made.stated.began_at,
        "seconds": round(seconds, 3),
        "files": made.done.files,
        "bytes": made.done.bytes,
        "written_bytes": made.done.written,
        "tables": [
            {"table": each.table, "rows": each.rows, "tokens": each.tokens, "keys": each.keys, "bytes": each.bytes} for each in made.stated.totals
        ],
    }


def _show(made: Backup, place: Place, base: Place | None) -> None:
    totals = made.stated.totals
    rows = [[each.table, each.rows, each.tokens, each.keys, each.bytes] for each in totals if each.rows]
    print_table(["table", "rows", "tokens", "keys", "bytes"], rows, title="kept", counts=["rows", "tokens", "keys", "bytes"])
    kept = f"{counted(len(totals), 'table')}, {counted(sum(each.rows for each in totals), 'row')}, {counted(made.done.bytes, 'byte')}"
    own = f", {made.done.written:,} of them here and the rest in {base.shown}" if base else ""
    say(f"{place.shown}: {kept} in {counted(made.done.files, 'file')}{own}")

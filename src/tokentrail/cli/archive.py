"""`tokentrail export ledger` and `tokentrail import ledger`: the whole ledger as Parquet, and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tokentrail.archive.exporting import export_ledger
from tokentrail.archive.importing import check, import_ledger
from tokentrail.archive.manifest import ArchiveError, Manifest
from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.working import working
from tokentrail.wording import counted

__all__ = ["export_command", "import_command"]

_LEDGER = "usage_ledger"


@click.command(name="ledger", short_help="The whole ledger, as a folder of Parquet files.")
@click.option("--to", "folder", required=True, type=NamedPath(), metavar="DIR", help="The folder; created if it is not there.")
@click.option("--json", "as_json", is_flag=True, help="Answer the manifest.")
@dsn_option
def export_command(*, folder: Path, as_json: bool, dsn: str) -> None:
    """Write the whole ledger into DIR: a Parquet file for each table and month, and manifest.json with checksums, rows and sums.

    With all that `tokentrail verify` needs on the other side. An interrupted export goes on where it was; a repeated one writes only what has
    changed since. Arrivals, spans, logs and metrics are not in it, nor prices, budgets and alerts. `tokentrail import ledger DIR` reads it.

    \b
    Example:  tokentrail export ledger --to /backup/ledger
    """
    begun: list[str] = []
    with _sentences(folder), opened(dsn) as client, working("exporting", lambda: begun[-1] if begun else ""):
        done = export_ledger(client, folder, began=begun.append)
    if as_json:
        click.echo((folder / "manifest.json").read_text(encoding="utf-8"), nl=False)
        return
    kept = f", {done.kept} of them unchanged" if done.kept else ""
    say(f"{folder}: {counted(len(done.manifest.files), 'file')}{kept}; {_ledger_of(done.manifest)}")


@click.command(name="ledger")
@click.argument("folder", type=NamedPath(), metavar="DIR")
@click.option("--check", "only_check", is_flag=True, help="Only check the files against the manifest: needs no ClickHouse.")
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object.")
@dsn_option
def import_command(*, folder: Path, only_check: bool, as_json: bool, dsn: str) -> None:
    """Read a ledger that `tokentrail export ledger` has written, into a database that `tokentrail migrate` has made.

    Each row counts once, by its identity: reading an archive twice, or into a ledger that has part of the rows, gives the same totals. All files are
    checked first; one that is damaged or foreign is named, and nothing is stored. Usages of tenants that were erased here are not taken.

    \b
    Example:  tokentrail import ledger /backup/ledger
    """
    begun: list[str] = []
    with _sentences(folder), working("reading", lambda: begun[-1] if begun else ""):
        if only_check:
            manifest, erased = check(folder, began=begun.append), 0
        else:
            with opened(dsn) as client:
                done = import_ledger(client, folder, began=begun.append)
            manifest, erased = done.manifest, done.erased
    if as_json:
        rows = {file.name: file.rows for file in manifest.files}
        say(as_json_text({"imported": not only_check, "rows": rows, "sums": _sums(manifest), "erased": erased}, indent=2))
        return
    said = f"{folder}: {'is whole' if only_check else 'read'}, {counted(len(manifest.files), 'file')}; {_ledger_of(manifest)}"
    say(said + (f"; {counted(erased, 'row')} of tenants that were erased here {'was' if erased == 1 else 'were'} left out" if erased else ""))


def _sums(manifest: Manifest) -> dict[str, int]:
    sums: dict[str, int] = {}
    for file in manifest.files:
        for name, number in file.sums.items():
            sums[name] = sums.get(name, 0) + number
    return sums


def _ledger_of(manifest: Manifest) -> str:
    rows = sum(file.rows for file in manifest.files if file.table == _LEDGER)
    return f"{counted(rows, 'row')} of the ledger"


@contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        raise Misuse(f"{error}.") from None
    except OSError as error:
        raise Misuse(f"{error.filename or folder} cannot be used: {error.strerror or error}.") from None

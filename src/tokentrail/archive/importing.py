"""Reads an archive into a database. Twice is as good as once, also at the same time: every table counts a row once, by its identity.

All files are checked against the manifest before the first row is stored. Usages of tenants that this database has erased are removed again, and the
sums of the days that came are built anew by the next `tokentrail rollup`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tokentrail.archive import manifest as manifests
from tokentrail.archive.layout import TABLES, Columns, Part, columns_of
from tokentrail.archive.manifest import ArchiveError, File, Manifest
from tokentrail.clickhouse.bulk import insert_parquet
from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.migrate import cluster_of
from tokentrail.ledger.erasure import erase_again
from tokentrail.ledger.query import answer, run
from tokentrail.ledger.rollup import mark_changed

__all__ = ["check", "import_ledger"]

_MARK: Final = b"PAR1"
_BESIDE: Final = "import_of_"
"""How the tables begin in which rows lie before they are taken over."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: the manifest, and the rows of tenants erased here that came with it and were removed again."""

    manifest: Manifest
    erased: int


def check(folder: Path, *, began: Progress = lambda _file: None) -> Manifest:
    """Checks every file of an archive. Raises `ArchiveError` for the first one that is not what the manifest says."""
    manifest = manifests.read(folder)
    if manifest is None:
        raise ArchiveError(f"{folder} is no archive: it has no {manifests.NAME}")
    if not manifest.complete:
        raise ArchiveError(f"the export into {folder} was interrupted: run `tokentrail export ledger` again, it goes on there")
    tables = {part.table for part in TABLES}
    for file in manifest.files:
        if file.table not in tables:
            raise ArchiveError(f"{file.name} holds a table {file.table!r} that is not known here: upgrade tokentrail")
        began(file.name)
        _check(folder / file.name, file)
    return manifest


def import_ledger(client: Client, folder: Path, *, began: Progress = lambda _file: None) -> Imported:
    """Reads an archive. Raises `ArchiveError` before anything is stored, and `ClickHouseError`, after which the import can be repeated."""
    manifest = check(folder, began=began)
    if cluster_of(client, client.database):
        raise ArchiveError("an archive is read into a single server: this database is on a cluster, whose shards divide rows as they arrive")
    columns = columns_of(client)
    for file in manifest.files:
        if file.table not in columns:
            raise ArchiveError(f"the database has no table {file.table}: run `tokentrail migrate` first")
        known = columns[file.table].types
        unknown = [name for name in file.columns if name not in known]
        if unknown:
            raise ArchiveError(f"{file.name} has a column {unknown[0]!r} that the table {file.table} does not: upgrade tokentrail, and migrate")
    parts = {part.table: part for part in TABLES}
    for (left,) in answer(client, "archive_left", {"begin": _BESIDE}).rows:  # by an import that was killed
        client.command(f"DROP TABLE IF EXISTS {identifier(left)} SYNC")
    mark_changed(client)  # no moment counts sums of which the ledger has more
    for file in manifest.files:
        began(file.name)
        _insert(client, folder / file.name, file, parts[file.table], Columns({name: columns[file.table].types[name] for name in file.columns}))
    mark_changed(client)
    return Imported(manifest, erase_again(client))


def _check(path: Path, file: File) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as opened:
            mark = opened.read(len(_MARK))
        found = manifests.checksum(path)
    except FileNotFoundError:
        raise ArchiveError(f"{path} is missing: the manifest lists it") from None
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from None
    if size != file.bytes:
        raise ArchiveError(f"{path} is damaged: it has {size:,} bytes, and had {file.bytes:,}")
    if found != file.sha256 or mark != _MARK:
        raise ArchiveError(f"{path} is damaged: its checksum is not that of the manifest")


def _insert(client: Client, path: Path, file: File, part: Part, columns: Columns) -> None:
    if not file.rows:
        return
    if not (columns.states or part.keyed):
        insert_parquet(client, part.table, file.columns, path)
        return
    beside = f"{_BESIDE}{part.table}_{secrets.token_hex(8)}"  # two imports at once do not read each other's rows
    only = f" WHERE {part.only}" if part.only else ""
    known = f"WHERE {part.keyed} NOT IN (SELECT {part.keyed} FROM {identifier(part.table)}{only})" if part.keyed else ""
    client.command(f"CREATE TABLE {beside} ({columns.plain}) ENGINE = MergeTree ORDER BY tuple()")
    try:
        insert_parquet(client, beside, file.columns, path)
        run(client, "archive_take", None, {"table": part.table, "beside": beside, "columns": columns.names, "read": columns.read, "known": known})
    finally:
        with suppress(ClickHouseError):  # the error that led here is the one to see
            client.command(f"DROP TABLE IF EXISTS {beside} SYNC")

"""Writes the ledger into a folder, one file a table and month.

Each file is written beside its place and renamed, and the manifest after it. So an export that was interrupted goes on, and one that is repeated
writes the months that have changed. The sums in the manifest are read from the file, not from the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

import tokentrail
from tokentrail.archive import manifest as manifests
from tokentrail.archive.layout import SUMMED, TABLES, Columns, Part, columns_of
from tokentrail.archive.manifest import ArchiveError, File, Manifest
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer, read
from tokentrail.whole_files import replaced

__all__ = ["Exported", "export_ledger"]

_LEDGER: Final = "usage_ledger"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export: the manifest, and how many files were there already."""

    manifest: Manifest
    kept: int


def export_ledger(client: Client, folder: Path, *, began: Progress = lambda _file: None) -> Exported:
    """Writes an archive into a folder, which is created. Raises `ArchiveError`, `ClickHouseError` and OSError; what is written by then stays."""
    folder.mkdir(parents=True, exist_ok=True)
    former = manifests.read(folder)
    if former is None and any(folder.iterdir()):
        raise ArchiveError(f"{folder} is not empty and has no {manifests.NAME}: name an empty folder, or one of an earlier export")
    known = {file.name: file for file in former.files} if former else {}
    columns, files, kept = columns_of(client), dict(known), 0
    present: list[str] = []
    for part, month, name in _wanted(client):
        present.append(name)
        source = _source(client, part, month)
        before = known.get(name)
        if before and before.source == source and list(before.columns) == list(columns[part.table].types) and _is_whole(folder, before):
            kept += 1
            continue
        began(name)
        files[name] = msgspec.structs.replace(_write(client, part, month, folder / name, columns[part.table]), source=source)
        manifests.write(folder, Manifest(package=tokentrail.__version__, files=list(files.values())))
    gone = [name for name in known if name not in present]  # of a month that retention has removed since
    done = Manifest(package=tokentrail.__version__, complete=True, files=[files[name] for name in present])
    manifests.write(folder, done)
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    return Exported(done, kept)


def _wanted(client: Client) -> Iterator[tuple[Part, int, str]]:
    for part in TABLES:
        if not part.month:
            yield part, 0, f"{part.table}.parquet"
            continue
        for (month,) in answer(client, "archive_months", None, {"table": part.table, "month": part.month}).rows:
            yield part, month, f"{part.table}-{month}.parquet"


def _source(client: Client, part: Part, month: int) -> str:
    slots = {"table": part.table, "final": _final(part), "month": part.divided}
    ((rows, digest),) = answer(client, "archive_source", {"wanted": month}, slots).rows
    return f"{rows} {digest}"


def _is_whole(folder: Path, file: File) -> bool:
    try:
        path = folder / file.name
        return path.stat().st_size == file.bytes and manifests.checksum(path) == file.sha256
    except OSError:
        return False


def _write(client: Client, part: Part, month: int, path: Path, columns: Columns) -> File:
    final = f"{_final(part)} {columns.joined}"
    slots = {"table": part.table, "final": final, "month": part.divided, "columns": columns.written, "wanted": str(month)}
    sql = read("archive_rows").filled(slots)
    state, size = hashlib.sha256(), 0
    with replaced(path) as written, client.stream(sql, "Parquet", read_only=True) as stream:
        for piece in stream.pieces:
            state.update(piece)
            size += len(piece)
            written.write(piece)
    rows, sums = _witness(path, SUMMED if part.table == _LEDGER else ())
    return File(path.name, part.table, rows, size, state.hexdigest(), list(columns.types), sums)


def _witness(path: Path, summed: tuple[str, ...]) -> tuple[int, dict[str, int]]:
    """Reads the number of rows and the sums of columns from a file, one row group at a time."""
    from pyarrow import compute, parquet  # noqa: PLC0415 - the extra `parquet`

    with parquet.ParquetFile(path) as file:
        rows, sums = file.metadata.num_rows, dict.fromkeys(summed, 0)
        for group in range(file.num_row_groups if summed else 0):
            found = file.read_row_group(group, columns=list(summed))
            for name in summed:
                sums[name] += compute.sum(found[name]).as_py() or 0
    return rows, sums


def _final(part: Part) -> str:
    return "" if part.keyed else "FINAL"

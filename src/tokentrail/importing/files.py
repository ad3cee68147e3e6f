"""The rows of a saved file, one by one: a JSON list, JSON objects one after another (JSONL), an API's page, CSV or Parquet. It is never held whole.

A page of an API (`{"data": [...]}`) and a request of OTLP (`{"resourceSpans": [...]}`) are read as one object each.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ijson
import msgspec

from tokentrail.toml_files import FileError

__all__ = ["rows_of"]

LARGEST_CELL: Final = 2**30
BATCH: Final = 2_000
PAGES: Final = ("data", "logs", "spans")
"""Names under which an answer of an API has its rows."""
ENDS: Final = ("truncated", "premature EOF", "ncomplete")
"""Words of msgspec, of YAJL and of ijson for a text that ends too early."""
SURROGATE: Final = b"\xed"
"""The byte with which UTF-8 would begin a surrogate, if there were one."""


class _CellsError(csv.Error):
    """What is wrong with a CSV, in words that hold nothing of it."""


def rows_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the rows. Raises `FileError` with the file's name for a file that cannot be read as one of the forms, wherever that shows."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise FileError(f"{path} is no file, and an import reads its file twice: save what it gives, and name that file")
        with _opened(path) as file:
            first = _first_byte(file)
            if not first:
                raise FileError(f"{path} is empty")
            if file.peek(4)[:4] == b"PAR1":
                found: Iterable[Any] = _columns(path)
            else:
                found = _listed(file) if first == b"[" else _objects(file) if first == b"{" else _cells(file)
            for row in found:
                if not isinstance(row, Mapping):
                    raise FileError(f"{path} has rows that are no objects: the first one is of the type {type(row).__name__}")
                yield from _page(row)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or 'it is no whole gzip file'}") from None
    except zlib.error:
        raise FileError(f"{path} cannot be read: it is no whole gzip file") from None
    except (EOFError, UnicodeDecodeError, csv.Error, ijson.JSONError, msgspec.DecodeError, RecursionError) as error:
        raise FileError(f"{path} is no whole JSON, JSONL or CSV file: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Returns what is wrong. A library's own sentence may hold a piece of the file, which may be a prompt."""
    if isinstance(error, _CellsError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        is_half = error.object[error.start : error.start + 1] == SURROGATE
        return "a text in it has half of a sign (a lone surrogate), which JSONL may have" if is_half else "it is not in UTF-8"
    if isinstance(error, EOFError) or any(word in str(error) for word in ENDS):
        return "it ends in the middle"
    return "its CSV is broken" if isinstance(error, csv.Error) else "its JSON is broken"


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    with path.open("rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        unpacked: Any = gzip.GzipFile(fileobj=file)  # a raw stream, in all that is used of it
        with unpacked, io.BufferedReader(unpacked) as buffered:
            yield buffered


def _first_byte(file: io.BufferedReader) -> bytes:
    """Moves behind a mark of the encoding and blanks; returns the next byte, which stays to be read."""
    if file.peek(3)[:3] == b"\xef\xbb\xbf":
        file.read(3)
    while (byte := file.peek(1)[:1]) and byte.isspace():
        file.read(1)
    return byte


def _listed(file: io.BufferedReader) -> Iterable[Any]:
    found: Iterable[Any] = ijson.items(file, "item", use_float=True)
    return found


def _objects(file: io.BufferedReader) -> Iterator[Any]:
    """Yields objects: one a line where the first line is one, else one after another, of any number of lines."""
    line = file.readline()
    decode = msgspec.json.Decoder().decode
    try:
        first = decode(line)
    except msgspec.DecodeError:
        yield from ijson.items(_Joined(line, file), "", multiple_values=True, use_float=True)
        return
    yield first
    for line in file:
        if line.strip():
            yield decode(line)


class _Joined:
    """A file, with what was read from it already in front."""

    def __init__(self, begun: bytes, file: io.BufferedReader) -> None:
        self._begun = begun
        self._file = file

    def read(self, size: int) -> bytes:
        """Reads so many bytes at most; for a size of 0 none."""
        if size and self._begun:
            begun, self._begun = self._begun[:size], self._begun[size:]
            return begun
        return self._file.read(size)


def _cells(file: io.BufferedReader) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""), strict=True)
    if not reader.fieldnames or len(reader.fieldnames) < 2:  # noqa: PLR2004 - a table has columns
        raise _CellsError("its first line is neither JSON nor names of columns, with commas between them")
    if twice := next((name for name in reader.fieldnames if reader.fieldnames.count(name) > 1), ""):
        raise _CellsError(f"its first line has the column {twice} twice")
    for row in reader:
        if None in row or None in row.values():
            raise _CellsError(f"the row that ends at line {reader.line_num} has {'more' if None in row else 'fewer'} cells than the first line")
        yield row


def _columns(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the rows of a Parquet file, some thousand in memory at a time."""
    import pyarrow as pa  # noqa: PLC0415 - a large package of an extra
    from pyarrow import parquet  # noqa: PLC0415 - same

    try:
        with parquet.ParquetFile(path) as file:
            maps = [field.name for field in file.schema_arrow if pa.types.is_map(field.type)]
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    yield row | {name: dict(row[name] or ()) for name in maps}
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:  # the latter of times that are none of Python
        raise FileError(f"{path} is no whole Parquet file: {type(error).__name__}") from None


def _page(row: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in PAGES:
        inner = row.get(name)
        if isinstance(inner, list) and all(isinstance(each, Mapping) for each in inner):
            yield from inner
            return
    yield row

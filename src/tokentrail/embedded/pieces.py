"""Streams the answer of a SELECT in pieces, while the engine computes them. The pieces form one document.

chDB writes each piece as a separate document. So only line-based formats can be sent in pieces; a head with names (and types) is kept in the first
piece and removed from all others. An answer without rows has no pieces: if the format has a head, the statement is run once more, as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from tokentrail.embedded.engine import Session
from tokentrail.embedded.errors import EngineError
from tokentrail.embedded.statement import insert_head, select

__all__ = ["EngineError", "answer", "in_pieces", "may_come_in_pieces"]

HEADLESS: Final = frozenset(
    {
        *("Native", "RowBinary", "TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "LineAsString", "RawBLOB"),
        *("JSONEachRow", "NDJSON", "JSONLines", "JSONCompactEachRow", "JSONStringsEachRow", "JSONCompactStringsEachRow"),
    }
)
HEAD_ROWS: Final = {
    f"{name}{head}": rows
    for name in ("TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONCompactEachRow", "JSONCompactStringsEachRow")
    for head, rows in (("WithNames", 1), ("WithNamesAndTypes", 2))
}
CSV_ROW: Final = re.compile(rb'(?:"(?:[^"]|"")*"|[^"\n])*\n')  # names may hold line breaks
ROW: Final = re.compile(rb"[^\n]*\n")


def may_come_in_pieces(written: str) -> bool:
    """Whether the pieces of an answer in the format `written` form one document."""
    return written in HEADLESS or written in HEAD_ROWS


def answer(session: Session, text: bytes, written: str) -> tuple[str, Generator[bytes, None, None]]:
    """Runs a statement. Returns the answer's format (`written`, unless the statement has a FORMAT clause), and the answer's pieces.

    Raises EngineError, or chDB's errors, for errors before the first piece.
    """
    if insert_head(text, whole=True) is not None:
        session.query(text.decode(), "Null")
        return written, _all([])
    asked = select(text)
    spelt = asked.format or written
    if not (asked.streams and may_come_in_pieces(spelt)):
        return spelt, _all([_bytes(session.query(asked.statement, spelt))])
    pieces = in_pieces(session, asked.statement, spelt)
    first = next(pieces, b"")
    return spelt, _all([first], pieces)


def _all(first: list[bytes], rest: Iterable[bytes] = ()) -> Generator[bytes, None, None]:
    try:
        yield from first
        yield from rest
    finally:
        if isinstance(rest, Generator):
            rest.close()


def in_pieces(session: Session, statement: str, written: str, parameters: Mapping[str, str] | None = None) -> Generator[bytes, None, None]:
    """Runs a SELECT without FORMAT clause, and yields the answer's pieces. Closing the iterator ends the query.

    Raises chDB's errors, also between pieces.
    """
    rows = HEAD_ROWS.get(written, 0)
    answer = session.send_query(statement, written, params=parameters)
    head = 0
    try:
        for number, chunk in enumerate(answer):
            piece = _bytes(chunk)
            if number == 0:
                head = _head(piece, rows, CSV_ROW if written.startswith("CSV") else ROW)
                yield piece
            else:
                yield piece[head:]
    finally:
        with suppress(RuntimeError):  # the query has ended already, with the session or by a KILL QUERY
            answer.close()
    if rows and not head:
        yield _bytes(session.query(statement, written, params=parameters))


def _bytes(piece: Any) -> bytes:
    return piece.bytes() or b""


def _head(piece: bytes, rows: int, row: re.Pattern[bytes]) -> int:
    """Returns the length of the first rows in bytes."""
    at = 0
    for _ in range(rows):
        found = row.match(piece, at)
        at = found.end() if found else len(piece)
    return at

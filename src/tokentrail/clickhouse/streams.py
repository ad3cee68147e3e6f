"""An answer on its way: its bytes as ClickHouse writes them, and the error that may come in their middle.

Since 25.11 a server that fails after its answer has begun writes a mark, the exception and the mark again, and cuts the connection. Older servers
append the exception's text and end as if nothing had happened: from those an answer is taken only when it is whole, except for rows, which no such
text can be taken for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.clickhouse.errors import broke_off

__all__ = ["ROWS", "WHOLE", "Stream", "in_sentences", "of_response", "request"]

ROWS: Final = "JSONCompactEachRowWithNamesAndTypes"
"""The format in which rows are read: a line of names, a line of types, one line a row, all JSON lists."""

WHOLE: Final = "JSONCompact"
"""The format in which totals and extremes are read too: one JSON object."""

TELLS_BROKEN_ANSWERS: Final = (25, 11)
PIECE: Final = 1 << 16
LONGEST_EXCEPTION: Final = 1 << 16
FORMAT_HEADER: Final = "X-ClickHouse-Format"
TAG_HEADER: Final = "X-ClickHouse-Exception-Tag"


@dataclass(frozen=True, slots=True)
class Stream:
    """The format that an answer is written in, and its bytes as they come. Reading raises ClickHouseError where the answer breaks off."""

    format: str
    pieces: Iterator[bytes]


def request(client: Any, sql: str, written: str, settings: dict[str, str]) -> Any:
    """The HTTP response (urllib3's) to a statement, through clickhouse-connect's `client`; its head is read, its body is not."""
    version = tuple(int(part) for part in re.findall(r"\d+", client.server_version)[:2])
    if version < TELLS_BROKEN_ANSWERS and not (written == ROWS and "format" not in sql.lower()):
        settings = settings | {"wait_end_of_query": "1"}
    return client.raw_stream(sql, settings=settings, transport_settings={FORMAT_HEADER: written})


def of_response(response: Any, written: str) -> Stream:
    """The stream of an HTTP response (urllib3's) to a request for `written`."""
    tag = response.headers.get(TAG_HEADER, "")
    pieces = _without_exception(response.stream(PIECE, decode_content=True), tag.encode())
    return Stream(response.headers.get(FORMAT_HEADER) or written, pieces)


def _without_exception(pieces: Iterable[bytes], tag: bytes) -> Iterator[bytes]:
    mark = b"\r\n__exception__\r\n" + tag
    held = b""
    coming = in_sentences(pieces)
    for piece in coming:
        held += piece
        at = held.find(mark) if tag else -1
        if at >= 0:
            yield held[:at]
            raise broke_off(_rest(held[at + len(mark) :], coming))
        keep = _begun(held, mark) if tag else 0
        yield held[: len(held) - keep]
        held = held[len(held) - keep :]
    yield held


def in_sentences(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces; whatever the driver or the network raises in their middle leaves as ClickHouseError."""
    try:
        yield from pieces
    except Exception as error:
        raise broke_off(str(error)) from None


def _begun(data: bytes, mark: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of `mark`."""
    return next((length for length in range(min(len(mark) - 1, len(data)), 0, -1) if data.endswith(mark[:length])), 0)


def _rest(begun: bytes, coming: Iterator[bytes]) -> str:
    """The exception's text; the connection is cut behind it, which is no further news."""
    told = begun
    with suppress(Exception):
        for piece in coming:
            told += piece
            if len(told) > LONGEST_EXCEPTION:
                break
    return re.sub(rb"\n\d+ \w+\r\n__exception__\r\n\Z", b"", told).decode(errors="replace")

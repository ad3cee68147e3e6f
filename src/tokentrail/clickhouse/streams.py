"""A streamed answer: the bytes as ClickHouse writes them, and an error that may occur after some of them.

Since 25.11 a server that fails after its answer has begun writes a mark, the exception and the mark again, and cuts the connection. Older servers
append the exception's text and end the answer regularly: from those an answer is requested only when complete (`wait_end_of_query`), except for rows,
which cannot be confused with such a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.clickhouse.errors import broke_off

__all__ = ["ROWS", "WHOLE", "Stream", "of_response", "request", "with_sentences"]

ROWS: Final = "JSONCompactEachRowWithNamesAndTypes"
"""The format of streamed rows: a line of names, a line of types, one line per row, all JSON lists."""

WHOLE: Final = "JSONCompact"
"""The format of answers with totals and extremes: one JSON object."""

MARKS_EXCEPTIONS_SINCE: Final = (25, 11)
PIECE: Final = 1 << 16
LONGEST_EXCEPTION: Final = 1 << 16
FORMAT_HEADER: Final = "X-ClickHouse-Format"
TAG_HEADER: Final = "X-ClickHouse-Exception-Tag"


@dataclass(frozen=True, slots=True)
class Stream:
    """The format of an answer, and its bytes as they arrive. Reading raises ClickHouseError if the answer breaks off."""

    format: str
    pieces: Iterator[bytes]


def request(client: Any, sql: str, written: str, settings: dict[str, str]) -> Any:
    """Sends a statement through clickhouse-connect's `client`. Returns the HTTP response (urllib3's), with its body not yet read."""
    version = tuple(int(part) for part in re.findall(r"\d+", client.server_version)[:2])
    if version < MARKS_EXCEPTIONS_SINCE and not (written == ROWS and "format" not in sql.lower()):
        settings = settings | {"wait_end_of_query": "1"}
    return client.raw_stream(sql, settings=settings, transport_settings={FORMAT_HEADER: written})


def of_response(response: Any, written: str) -> Stream:
    """Returns the stream of an HTTP response (urllib3's) to a request for the format `written`."""
    tag = response.headers.get(TAG_HEADER, "")
    pieces = _without_exception(response.stream(PIECE, decode_content=True), tag.encode())
    return Stream(response.headers.get(FORMAT_HEADER) or written, pieces)


def _without_exception(pieces: Iterable[bytes], tag: bytes) -> Iterator[bytes]:
    mark = b"\r\n__exception__\r\n" + tag
    held = b""
    coming = with_sentences(pieces)
    for piece in coming:
        held += piece
        at = held.find(mark) if tag else -1
        if at >= 0:
            yield held[:at]
            raise broke_off(_rest(held[at + len(mark) :], coming))
        keep = _mark_overlap(held, mark) if tag else 0
        yield held[: len(held) - keep]
        held = held[len(held) - keep :]
    yield held


def with_sentences(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the pieces; errors of the driver or the network between them are raised as ClickHouseError."""
    try:
        yield from pieces
    except Exception as error:
        raise broke_off(str(error)) from None


def _mark_overlap(data: bytes, mark: bytes) -> int:
    """Returns how many bytes at the end of `data` may be the beginning of `mark`."""
    return next((length for length in range(min(len(mark) - 1, len(data)), 0, -1) if data.endswith(mark[:length])), 0)


def _rest(begun: bytes, coming: Iterator[bytes]) -> str:
    """Returns the exception's text. The server cuts the connection after the text, which is not a further error."""
    text = begun
    with suppress(Exception):
        for piece in coming:
            text += piece
            if len(text) > LONGEST_EXCEPTION:
                break
    return re.sub(rb"\n\d+ \w+\r\n__exception__\r\n\Z", b"", text).decode(errors="replace")

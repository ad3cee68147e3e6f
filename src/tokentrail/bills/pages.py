"""An API's answers, page by page: live, until no further page is named, or as they were saved.

A page is an object with rows under `data` and, where there are more, `has_more` and the token of the `next_page`. Saved pages may stand in a file as
they came: one object, several after one another, one a line (JSONL), or in a list; also the rows alone. Packed files (gzip) are read as they are.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Final, cast

from tokentrail.bills.access import Access
from tokentrail.bills.errors import BillError
from tokentrail.bills.report import Notes
from tokentrail.bills.values import decoded

__all__ = ["Once", "Page", "live_pages", "opened", "rows_of", "saved_pages"]

MOST_PAGES: Final = 10_000
LARGEST_FILE: Final = 256 * 2**20
"""What is read of a file of JSON that is not one object a line, which is parsed whole."""
LONGEST_LINE: Final = 64 * 2**20
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, and where it comes from, for sentences."""

    place: str
    found: Mapping[str, Any]


def live_pages(access: Access, path: str, query: Iterable[tuple[str, str]], expected: Container[int] = ()) -> Iterator[Page]:
    """Yields the pages of a report. Raises `BillError` for a report whose pages do not end, `Answered` if the first has a status that is expected."""
    given, seen, token = list(query), set[str](), ""
    for number in range(1, MOST_PAGES + 1):
        found = access.get(path, [*given, ("page", token)]) if token else access.get(path, given, expected)
        place = f"page {number} of {path}"
        yield Page(place, found)
        following = found.get("next_page")
        if not following or found.get("has_more") is False:
            if found.get("has_more") is True:
                raise BillError(f"{place} says that there is more, and names no next page")
            return
        token = str(following)
        if token in seen:
            raise BillError(f"{place} names a next page that was read before: the report would not end")
        seen.add(token)
    raise BillError(f"{path} has more than {MOST_PAGES:,} pages: ask for a shorter time")


def saved_pages(path: Path, notes: Notes) -> Iterator[Page]:
    """Yields the pages of a file, a page that was saved twice once. Raises `BillError` for a file that is none, or lacks its last page."""
    seen: set[bytes] = set()
    more = False
    number = 0
    for where, document in _documents(path):
        for found in document if isinstance(document, list) and _are_pages(document) else [document]:
            if isinstance(found, list):
                found = {"data": found}  # noqa: PLW2901 - rows alone
            elif not isinstance(found, Mapping):
                raise BillError(f"{path}, {where}: it is no object")
            elif "error" in found and "data" not in found:
                raise BillError(f"{path}, {where}: it is the answer of an error, and no report")
            elif "data" not in found:
                found = {"data": [found]}  # noqa: PLW2901 - a row alone
            number += 1
            digest = blake2b(json.dumps(found, default=str, sort_keys=True).encode(), digest_size=16).digest()
            if found["data"] and digest in seen:
                notes.say("a page that was saved twice was read once")
                continue
            seen.add(digest)
            more = found.get("has_more") is True
            yield Page(f"{path}, {where}", found)
    if not number:
        raise BillError(f"{path} is empty")
    if more:
        raise BillError(f"{path} ends with a page after which there are more (has_more): save these, too")


def rows_of(page: Page, name: str = "data") -> list[Mapping[str, Any]]:
    """Returns the rows of a page. Raises `BillError` if there is no list of objects."""
    found = page.found.get(name)
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise BillError(f"{page.place}: it has no list of objects under {name!r}")
    return cast("list[Mapping[str, Any]]", found)


class Once:
    """Rows that were read, by what they are of; a row that comes again with the same numbers is left out, with other numbers an error."""

    __slots__ = ("_notes", "_read")

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._read: dict[bytes, bytes] = {}

    def is_new(self, page: Page, *parts: Mapping[str, Any]) -> bool:
        """Whether a row, made of these parts, was not read yet. Raises `BillError` for two rows of the same thing, with different numbers."""
        words = [{name: value for name, value in part.items() if value is None or isinstance(value, (str, bool))} for part in parts]
        subject = _digest(words)
        numbers = _digest(parts)
        former = self._read.setdefault(subject, numbers)
        if former is numbers:
            return True
        if former != numbers:
            raise BillError(f"{page.place}: a row is there twice with different numbers: were reports of different times saved together?")
        self._notes.say("a row that is there twice was read once")
        return False


def _digest(value: Any) -> bytes:
    return blake2b(json.dumps(value, default=str, sort_keys=True).encode(), digest_size=16).digest()


def _are_pages(document: list[Any]) -> bool:
    return bool(document) and all(isinstance(each, Mapping) and "data" in each for each in document)


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """Opens a file, unpacked if gzip has packed it. Raises `BillError` for a file that cannot be read, also while it is read."""
    try:
        if path.exists() and not path.is_file():
            raise BillError(f"{path} is no file")
        with path.open("rb") as file:
            if file.peek(2)[:2] == b"\x1f\x8b":
                unpacked: Any = gzip.GzipFile(fileobj=file)  # a raw stream, in all that is used of it
                with unpacked, io.BufferedReader(unpacked) as buffered:
                    yield buffered
            else:
                yield file
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise BillError(f"{path} is no whole gzip file") from None
    except OSError as error:
        raise BillError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise BillError(f"{path} is not in the encoding that is assumed: UTF-8, if no mapping says another one") from None


def _documents(path: Path) -> Iterator[tuple[str, Any]]:
    """Yields the documents of a file with the places where they stand: one a line where the first line is one, else one after another."""
    with opened(path) as file:
        _pass_over_mark(file)
        first = file.readline(LONGEST_LINE)
        try:
            begun = decoded(first)
        except BillError:
            yield from _joined(path, first, file)
            return
        yield "line 1", begun
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=2):
            if line.strip():
                yield f"line {number}", _parsed(path, number, line)


def _parsed(path: Path, number: int, line: bytes) -> Any:
    try:
        return decoded(line)
    except BillError as error:
        reason = "it is longer than any page" if len(line) >= LONGEST_LINE else str(error)
        raise BillError(f"{path}, line {number}: {reason}") from None


def _joined(path: Path, first: bytes, file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Yields documents that take several lines each."""
    whole = first + file.read(LARGEST_FILE - len(first))
    if len(whole) >= LARGEST_FILE:
        raise BillError(f"{path} has more than {LARGEST_FILE // 2**20} MiB: write one page a line (JSONL)")
    try:
        written = whole.decode()
    except UnicodeDecodeError:
        raise BillError(f"{path} is not in UTF-8") from None
    place, number = _after_blanks(written, 0), 0
    if place == len(written):
        return
    while place < len(written):
        number += 1
        try:
            _, end = _DECODER.raw_decode(written, place)
            document = decoded(written[place:end])
        except (ValueError, RecursionError):
            raise BillError(f"{path}: {_reason(written[place:])}") from None
        yield f"page {number}", document
        place = _after_blanks(written, end)


def _reason(written: str) -> str:
    try:
        decoded(written)
    except BillError as error:
        return str(error)
    return "its JSON is broken"


def _after_blanks(written: str, place: int) -> int:
    found = _BLANKS.match(written, place)
    return found.end() if found else place


def _pass_over_mark(file: io.BufferedReader) -> None:
    if file.peek(3)[:3] == b"\xef\xbb\xbf":
        file.read(3)

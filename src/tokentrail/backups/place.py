"""Where a backup lies: `File('path')`, `Disk('name', 'path')`, `S3('url')`, or a name alone, which is a file of the server's folder for backups.

Keys of S3 are added when the statement is written, and are shown nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tokentrail.clickhouse.literals import text_literal

__all__ = ["KEY", "SECRET", "Keys", "Place", "PlaceError", "parse", "parse_keys"]

KEY: Final = "TOKENTRAIL_BACKUP_S3_KEY"
SECRET: Final = "TOKENTRAIL_BACKUP_S3_SECRET"  # noqa: S105 - the variable's name
_FORMS: Final = "write NAME, File('path'), Disk('name', 'path') or S3('url')"
_CALL: Final = re.compile(r"\s*(\w+)\s*\(\s*(.*?)\s*\)\s*", re.DOTALL)
_ARGUMENT: Final = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|(\w+))\s*(,|\Z)", re.DOTALL)
_KINDS: Final = {"file": ("File", 1, 1), "disk": ("Disk", 2, 2), "s3": ("S3", 1, 2)}
_CREDENTIALS: Final = re.compile(r"AKIA|ASIA|signature|credential|token", re.IGNORECASE)


class PlaceError(ValueError):
    """A place that cannot be used. One sentence, without a full stop and without its keys."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of S3; empty where the server has its own."""

    key: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return "Keys(…)"

    def hidden(self, text: str) -> str:
        """Returns the text without the keys."""
        for each in (self.secret, self.key):
            text = text.replace(text_literal(each)[1:-1], "[HIDDEN]").replace(each, "[HIDDEN]") if each else text
        return text


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a backup: `File`, `Disk` or `S3`, and its arguments without keys; the first one may name a collection of the server's."""

    kind: str
    arguments: tuple[str, ...]
    collection: str = ""

    @property
    def shown(self) -> str:
        """The place in ClickHouse's notation, for people."""
        return f"{self.kind}({', '.join(self._written)})"

    @property
    def beginning(self) -> str:
        """The text with which the server's own name of a backup at this place begins."""
        return f"{self.kind}({', '.join(self._written)}"

    def sql(self, keys: Keys) -> str:
        """The place in a statement, with its keys."""
        own = [] if self.kind != "S3" or self.collection or not keys.key else [text_literal(keys.key), text_literal(keys.secret)]
        return f"{self.kind}({', '.join([*self._written, *own])})"

    @property
    def _written(self) -> list[str]:
        return [*([self.collection] if self.collection else []), *map(text_literal, self.arguments)]


def parse(text: str) -> Place:
    """Parses a place. Raises `PlaceError`."""
    if not text.strip():
        raise PlaceError(f"the backup has an empty name: {_FORMS}")
    found = _CALL.fullmatch(text)
    if found is None:
        if re.search(r"[()'\"`\\]|\s\Z|\A\s", text):
            raise PlaceError(f"this is no place of a backup: {_FORMS}")
        return Place("File", (text,))
    if found[1].lower() not in _KINDS:
        raise PlaceError(f"{found[1]} is no place that tokentrail knows: {_FORMS}")
    kind, least, most = _KINDS[found[1].lower()]
    given = _arguments(found[2])
    collection = next((word for word, quoted in given if not quoted), "")
    if any(not quoted for _, quoted in (given[1:] if kind == "S3" else given)):
        raise PlaceError(f"the arguments of {kind} are texts in single quotes: {_FORMS}")
    if kind == "S3" and not collection and len(given) > 1:
        raise PlaceError(f"keys in the arguments are seen by others in the list of processes: write S3('url'), and give them by {KEY} and {SECRET}")
    if not least <= len(given) <= most or not all(word for word, _ in given):
        raise PlaceError(f"{kind} has {'a name and a path' if kind == 'Disk' else 'one text'}: {_FORMS}")
    if kind == "S3" and not collection:
        _refuse_url(given[0][0])
    return Place(kind, tuple(word for word, quoted in given if quoted), collection)


def parse_keys(environment: Mapping[str, str]) -> Keys:
    """Reads the keys of S3 from variables. Raises `PlaceError` if only one of them is set."""
    keys = Keys(environment.get(KEY, ""), environment.get(SECRET, ""))
    if bool(keys.key) != bool(keys.secret):
        raise PlaceError(f"{KEY if keys.key else SECRET} is set, and {SECRET if keys.key else KEY} is not: S3 needs both")
    return keys


def _arguments(text: str) -> list[tuple[str, bool]]:
    found, at = list[tuple[str, bool]](), 0
    while True:
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise PlaceError(f"the arguments of this place cannot be read: {_FORMS}")
        found.append((match[2], False) if match[2] else (re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), True))
        at = match.end()
        if not match[3]:
            return found


def _refuse_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https", "s3") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise PlaceError("the address of S3 cannot be read: write S3('https://bucket.s3.region.amazonaws.com/folder')")
    if "@" in parts.netloc or _CREDENTIALS.search(parts.query):
        raise PlaceError(f"the address of S3 holds a key, which others would see: write it without, and give the key by {KEY} and {SECRET}")

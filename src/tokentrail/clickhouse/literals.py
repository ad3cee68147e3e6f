"""Values in ClickHouse's notation: identifiers, texts, parameters, rows to insert, and the setting that makes a statement read-only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tokentrail.clickhouse.errors import READONLY, ClickHouseError

__all__ = ["Parameter", "identifier", "lines", "parameter", "readonly", "text_literal"]

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_MAKING: Final = re.compile(r"\b(?:INSERT|CREATE|ATTACH)\b", re.IGNORECASE | re.ASCII)

_GAP: Final = r"(?:\s|--[^\n]*\n|/\*.*?\*/)"
_COPYING: Final = re.compile(rf"(?:\A|\bPARALLEL{_GAP}+WITH){_GAP}*(?:BACKUP|RESTORE)\b", re.IGNORECASE | re.ASCII | re.DOTALL)

Parameter = str | int | None | Sequence[str]


def identifier(name: str) -> str:
    """Quotes a name; any characters are allowed."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def text_literal(text: str) -> str:
    """Quotes a text."""
    return f"'{text.translate(_ESCAPES)}'"


def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Encodes rows as JSONEachRow."""
    return b"".join(json.dumps(dict(row)).encode() + b"\n" for row in rows)


def parameter(value: Parameter) -> str:
    """Encodes a value as a parameter of the engine: texts escaped as in TabSeparated, lists as array literals."""
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        return "[" + ",".join(map(text_literal, value)) + "]"
    return value.translate(_ESCAPES)


def readonly(sql: str) -> str:
    """Returns the level of `readonly` for a statement: 2 allows SETTINGS, but also INSERT INTO FUNCTION file(…) and temporary tables; 1 does not.

    Raises ClickHouseError for BACKUP and RESTORE, which no level refuses (seen in ClickHouse 26.9).
    """
    if _COPYING.search(sql):
        raise ClickHouseError("BACKUP and RESTORE write.", READONLY)
    return "1" if _MAKING.search(sql) else "2"

"""Values as ClickHouse reads them: names, parameters, rows to insert, and the setting that makes a statement read-only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["Parameter", "identifier", "lines", "parameter", "readonly"]

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "'": "\\'", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})
_MAKING: Final = re.compile(r"\b(?:INSERT|CREATE|ATTACH)\b", re.IGNORECASE | re.ASCII)

Parameter = str | int | None | Sequence[str]


def identifier(name: str) -> str:
    """A name as ClickHouse reads it, whatever it holds."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSONEachRow."""
    return b"".join(json.dumps(dict(row)).encode() + b"\n" for row in rows)


def parameter(value: Parameter) -> str:
    """A value as the engine reads parameters: texts escaped as in TabSeparated, lists as array literals."""
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        return "[" + ",".join("'" + item.translate(_ESCAPES) + "'" for item in value) + "]"
    return value.translate(_ESCAPES)


def readonly(sql: str) -> str:
    """How read-only a statement is run: 2 lets it have settings of its own, but also INSERT INTO FUNCTION file(…) and temporary tables; 1 not."""
    return "1" if _MAKING.search(sql) else "2"

"""A tool for each question of the ledger: its schema from the question's header, and its answer from ClickHouse."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tokentrail.clickhouse.client import connect
from tokentrail.ledger.query import Query, QueryError, Wanted, questions, read
from tokentrail.ledger.values import parse_parameters

__all__ = ["MOST_ROWS", "Answered", "ask", "description", "input_schema"]

MOST_ROWS: Final = 1000
USUAL_ROWS: Final = 100
_ROWS: Final = "rows"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, as JSON: the columns with their meanings, the rows in their order, the unit, and whether there are more rows."""

    text: str

    @property
    def structure(self) -> dict[str, Any]:
        """The same as an object."""
        structure: dict[str, Any] = json.loads(self.text)
        return structure


def description(query: Query) -> str:
    """Returns what an assistant reads of a question."""
    columns = "; ".join(f"{column.name}: {column.text}" for column in query.columns)
    notes = f" {query.notes}" if query.notes else ""
    return f"{query.title}. Unit: {query.unit}.{notes} Columns: {columns}."


def input_schema(query: Query) -> dict[str, Any]:
    """Returns the JSON schema of a question's parameters."""
    properties = {wanted.name: _property(wanted) for wanted in query.parameters}
    properties[_ROWS] = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS, "description": "At most this many rows"}
    required = [wanted.name for wanted in query.parameters if wanted.default is None]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(wanted: Wanted) -> dict[str, Any]:
    described: dict[str, Any] = {"description": wanted.text}
    if wanted.type == "Array(String)":
        return {**described, "type": "array", "items": {"type": "string"}}
    if re.match(r"U?Int", wanted.type):
        return {**described, "type": "integer", **({"default": int(wanted.default)} if wanted.default else {})}
    if wanted.type.startswith("DateTime"):
        described["description"] += (
            "; such as 2026-11-01, 2026-11-01T12:30:00Z, 2026-11 (from alone is the whole month), today, month, 7d (for so long ago)"
        )
        return {**described, "type": "string"}
    choices = {"enum": list(wanted.choices)} if wanted.choices else {}
    default = {"default": wanted.default} if wanted.default else {}
    return {**described, "type": "string", **choices, **default}


def ask(dsn: str, name: str, arguments: Mapping[str, Any]) -> Answered:
    """Asks a question. Raises `QueryError` for an unknown question or argument, and `ClickHouseError`; each is one sentence."""
    if name not in questions():
        raise QueryError(f"there is no question {name!r}: there are {', '.join(questions())}.")
    query = read(name)
    rows = arguments.get(_ROWS, USUAL_ROWS)
    if type(rows) is not int or not 1 <= rows <= MOST_ROWS:
        raise QueryError(f"{_ROWS} is {rows!r}: a whole number from 1 to {MOST_ROWS}.")
    texts = {key: _texts(key, value) for key, value in arguments.items() if key != _ROWS and value is not None}
    values = parse_parameters(query, texts)
    with closing(connect(dsn)) as client:
        found = client.query(query.filled(), query.given(values), read_only=True)
    answer = {
        "question": query.title,
        "unit": query.unit,
        "columns": {column.name: column.text for column in query.columns},
        "rows": [dict(zip(found.columns, row, strict=True)) for row in found.rows[:rows]],
        "more_rows": max(0, len(found.rows) - rows),
    }
    return Answered(_ENCODER.encode(answer).decode())


def _texts(name: str, value: Any) -> Sequence[str]:
    """Returns an argument as texts: models write numbers as texts, and texts as numbers."""
    values = value if isinstance(value, list) else [value]
    for each in values:
        if isinstance(each, bool) or not isinstance(each, (str, int)):
            raise QueryError(f"{name} is {each!r}: a text, a whole number or a list of texts.")
    return [str(each) for each in values]

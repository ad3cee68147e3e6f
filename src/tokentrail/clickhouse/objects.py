"""The tables and views that the migrations create, so that a dropped one is detected, and can be created again unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Made", "made_by"]

_CREATE: Final = re.compile(r"CREATE (?:OR REPLACE )?(TABLE|VIEW|MATERIALIZED VIEW) (?:IF NOT EXISTS )?(\w+)")
_ALTER: Final = re.compile(r"ALTER TABLE (\w+)(?: ON CLUSTER '[^']*')?\s+(MODIFY QUERY\s+)?")
_DROP: Final = re.compile(r"DROP TABLE IF EXISTS (\w+)")
_ENGINE: Final = re.compile(r"^ENGINE = (\w+)", re.MULTILINE)
_QUERY: Final = re.compile(r" AS\s+(?=SELECT|WITH)")
_ENGINES_WITHOUT_DATA: Final = ("Null", "Distributed")


@dataclass(slots=True)
class Made:
    """A table or view, and the statements that create and change it."""

    kind: str
    name: str
    statements: list[str] = field(default_factory=list)

    @property
    def holds_data(self) -> bool:
        """Whether a drop loses data. A materialized view writes into a table, and holds no data."""
        engine = _ENGINE.search(self.statements[0])
        return self.kind == "table" and (engine is None or engine[1] not in _ENGINES_WITHOUT_DATA)

    def needs(self, tables: Iterable[str]) -> bool:
        """Whether the object cannot be created without one of these tables."""
        return any(re.search(rf"\b{table}\b", self.statements[0]) for table in tables)

    def replace_query(self, query: str) -> None:
        """Replaces the query in the CREATE statement by a later one, so that no record passes through an earlier query."""
        created = self.statements[0]
        at = _QUERY.search(created)
        self.statements[0] = created[: at.end()] + query if at else created


def made_by(statements: Iterable[str]) -> dict[str, Made]:
    """Returns every table and view that the statements create, by name, in the order of creation."""
    made: dict[str, Made] = {}
    for statement in statements:
        created, altered, dropped = _CREATE.match(statement), _ALTER.match(statement), _DROP.match(statement)
        if created:
            made[created[2]] = Made(created[1].lower(), created[2], [statement])
        elif dropped:
            made.pop(dropped[1], None)
        elif altered is None or altered[1] not in made:
            continue
        elif altered[2]:
            made[altered[1]].replace_query(statement[altered.end() :])
        else:
            made[altered[1]].statements.append(statement)
    return made

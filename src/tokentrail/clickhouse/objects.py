"""What the migrations make, table by table: so that what somebody has dropped is noticed, and can be put back as it was."""

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
_STORING_NOTHING: Final = ("Null", "Distributed")


@dataclass(slots=True)
class Made:
    """A table or view, and the statements that make it what it is."""

    kind: str
    name: str
    statements: list[str] = field(default_factory=list)

    @property
    def holds_data(self) -> bool:
        """Whether something is lost with it. A materialized view writes into a table, and keeps nothing."""
        engine = _ENGINE.search(self.statements[0])
        return self.kind == "table" and (engine is None or engine[1] not in _STORING_NOTHING)

    def needs(self, tables: Iterable[str]) -> bool:
        """Whether it cannot be made without one of these tables."""
        return any(re.search(rf"\b{table}\b", self.statements[0]) for table in tables)

    def query_is(self, query: str) -> None:
        """Let it be made with a later query at once: no record is to pass through an earlier one."""
        created = self.statements[0]
        at = _QUERY.search(created)
        self.statements[0] = created[: at.end()] + query if at else created


def made_by(statements: Iterable[str]) -> dict[str, Made]:
    """Every table and view that these statements make, by name, in the order of their making."""
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
            made[altered[1]].query_is(statement[altered.end() :])
        else:
            made[altered[1]].statements.append(statement)
    return made

"""Definitions: views, put in place whenever their text changes, while inserts continue.

`definitions/NAME.sql` holds this version's view NAME, and begins with one of two statements:

- `CREATE OR REPLACE VIEW`;
- `CREATE MATERIALIZED VIEW IF NOT EXISTS … TO … AS SELECT …`, to which this module adds `ALTER TABLE … MODIFY QUERY` with the same SELECT. An
  insert uses the former query or the new one, never none and never both. A view that is dropped and created again would lose the rows in between.

Later statements of the file are run each time too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["Definition", "bridge_definitions", "definitions", "in_order"]

_VIEW = re.compile(r"CREATE OR REPLACE VIEW (?P<name>\w+)\b(?P<query>.+)", re.DOTALL)
_MATERIALIZED = re.compile(
    r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<name>\w+)(?P<on> ON CLUSTER '[^']+')? TO (?P<fed>\w+) AS\s+(?P<query>(?:WITH|SELECT)\b.+)", re.DOTALL
)
_READ = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)")


@dataclass(frozen=True)
class Definition:
    """A view, rendered."""

    name: str
    text: str

    def __post_init__(self) -> None:
        if self._made["name"] != self.name:
            raise ValueError(f"definitions/{self.name}.sql makes {self._made['name']}: a file has its view's name")

    @cached_property
    def _made(self) -> dict[str, str | None]:
        first = sqlfiles.statements(self.text)[0]
        made = _MATERIALIZED.fullmatch(first) or _VIEW.fullmatch(first)
        if made is None:
            raise ValueError(f"definitions/{self.name}.sql does not begin with a view that can be made twice")
        return made.groupdict()

    @property
    def fed(self) -> str:
        """The table that the view feeds; empty for a view that is only read."""
        return self._made.get("fed") or ""

    @property
    def query(self) -> str:
        """The SELECT of a materialized view."""
        return self._made["query"] or ""

    @property
    def reads(self) -> frozenset[str]:
        """The tables and views after FROM and JOIN."""
        return frozenset(_READ.findall(self.query))

    @property
    def tables(self) -> frozenset[str]:
        """The tables and views that must exist before the view is put in place."""
        return self.reads | {self.fed}

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the rendered text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def making(self) -> list[str]:
        """The statements that create the view if there is none."""
        return sqlfiles.statements(self.text)

    @cached_property
    def changing(self) -> list[str]:
        """The statements that put the view in place, whether a view of that name exists or not."""
        first, *rest = self.making
        change = [f"ALTER TABLE {self.name}{self._made['on'] or ''} MODIFY QUERY\n{self.query}"] if self.fed else []
        return [first, *change, *rest]


def definitions(target: Target) -> list[Definition]:
    """Returns every view that each database has, in the order of putting them in place."""
    return _read("definitions", target)


def bridge_definitions(target: Target) -> list[Definition]:
    """Returns the views of the bridge, which a database has while the bridge is on: `bridge/NAME.sql`, with the same rules."""
    return _read("bridge", target)


def _read(folder: str, target: Target) -> list[Definition]:
    return in_order(Definition(name, sqlfiles.render(sqlfiles.read(folder, name), target)) for name in sqlfiles.names(folder))


def in_order(found: Iterable[Definition]) -> list[Definition]:
    """Sorts views: a view comes after the views that it reads, and before the view that feeds a table it reads, so that no row misses a view.

    Raises `graphlib.CycleError` if there is no such order.
    """
    by_name = {definition.name: definition for definition in sorted(found, key=lambda definition: definition.name)}
    order: TopologicalSorter[str] = TopologicalSorter({name: [] for name in by_name})
    for name, definition in by_name.items():
        order.add(name, *sorted(definition.reads & by_name.keys()))
        if definition.fed:
            order.add(name, *(other.name for other in by_name.values() if other.fed and definition.fed in other.reads))
    return [by_name[name] for name in order.static_order()]

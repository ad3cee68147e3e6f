"""The tables and views that exist in a database, on every node that answers.

A view's *fingerprint* is the hash of its statement as the server shows the statement. The fingerprint of a view is stored when the view is put in
place, so that a view changed by hand is detected. A server of another version may show the same statement differently: the view is then put in
place once more, which is harmless.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tokentrail.clickhouse.client import ClickHouseError, Client
from tokentrail.clickhouse.definitions import Definition
from tokentrail.clickhouse.literals import Parameter
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["InPlace", "Seen", "inspect"]

_NOT_ALLOWED = 497  # without the right REMOTE, the queried node stands for all nodes
_SEEN = "SELECT name, engine, create_table_query FROM {source} WHERE database = {{database:String}} AND {{name:String}} IN ('', name)"
_FED = re.compile(r"CREATE MATERIALIZED VIEW \S+ TO \S+\.`?(\w+)`? ")


@dataclass(frozen=True, slots=True)
class Seen:
    """The tables or views of one name, on all nodes."""

    nodes: int
    engines: frozenset[str]
    fingerprints: frozenset[str]
    fed: frozenset[str]
    """The tables that the view feeds; empty unless the view is a materialized view."""

    @property
    def is_view(self) -> bool:
        """Whether the name is a view, which stores no data."""
        return self.engines <= {"View", "MaterializedView"}


@dataclass(frozen=True, slots=True)
class InPlace:
    """The tables and views of a database."""

    nodes: int
    seen: Mapping[str, Seen]

    def lacks(self, name: str) -> str:
        """Returns how `name` is missing, as the end of a sentence; empty if the table or view exists on every node."""
        there = self.seen[name].nodes if name in self.seen else 0
        return "" if there >= self.nodes else "is missing" if not there else f"is missing on {self.nodes - there} of {self.nodes} nodes"

    def conflicts_with(self, definition: Definition) -> bool:
        """Whether another object has the view's name: another kind of table, or a view that feeds another table."""
        found = self.seen.get(definition.name)
        if found is None:
            return False
        return found.engines != {"MaterializedView" if definition.fed else "View"} or not found.fed <= {definition.fed}

    def holds(self, definition: Definition, remembered: Collection[str]) -> bool:
        """Whether the existing view is unchanged since it was put in place."""
        return not self.conflicts_with(definition) and self.seen[definition.name].fingerprints <= set(remembered)


def inspect(client: Client, target: Target, only: str = "") -> InPlace:
    """Reads the tables and views of `target.database`, or only the one named `only`; on a cluster from every node that answers."""
    if not target.cluster:
        return _inspect(client, target.database, only, 1, "system.tables")
    every = f"clusterAllReplicas('{target.cluster}', system.{{}})"
    try:
        ((nodes,),) = client.query(f"SELECT count() FROM {every.format('one')} SETTINGS skip_unavailable_shards = 1").rows
        return _inspect(client, target.database, only, nodes, every.format("tables"), " SETTINGS skip_unavailable_shards = 1")
    except ClickHouseError as error:
        if error.code != _NOT_ALLOWED:
            raise
    return _inspect(client, target.database, only, 1, "system.tables")


def _inspect(client: Client, database: str, only: str, nodes: int, source: str, settings: str = "") -> InPlace:
    given: dict[str, Parameter] = {"database": database, "name": only}
    found: dict[str, list[tuple[str, str]]] = {}
    for name, engine, statement in client.query(_SEEN.format(source=source) + settings, given).rows:
        found.setdefault(name, []).append((engine, statement))
    return InPlace(nodes, {name: _seen(tables) for name, tables in found.items()})


def _seen(tables: list[tuple[str, str]]) -> Seen:
    statements = {statement for _, statement in tables}
    return Seen(
        len(tables),
        frozenset(engine for engine, _ in tables),
        frozenset(hashlib.sha256(statement.encode()).hexdigest()[:32] for statement in statements),
        frozenset(match[1] for match in map(_FED.match, statements) if match),
    )

"""What is in place: the tables and views that a database has, on every node that answers, beside those that it should have.

A view's *fingerprint* is the hash of its statement as the server shows the statement. The fingerprint that a view had when it was put in place is
kept, so that a view which somebody has changed by hand is known. A server of another version may show the same statement in other words: the view is
then put in place once more, which does no harm.
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

__all__ = ["InPlace", "Seen", "look"]

_NOT_ALLOWED = 497  # without the right REMOTE, the node that is asked has to speak for all
_SEEN = "SELECT name, engine, create_table_query FROM {source} WHERE database = {{database:String}} AND {{name:String}} IN ('', name)"
_FED = re.compile(r"CREATE MATERIALIZED VIEW \S+ TO \S+\.`?(\w+)`? ")


@dataclass(frozen=True, slots=True)
class Seen:
    """A table or view of one name, over all nodes."""

    nodes: int
    engines: frozenset[str]
    fingerprints: frozenset[str]
    fed: frozenset[str]
    """The tables that the view feeds; empty for anything that is no materialized view."""

    @property
    def is_view(self) -> bool:
        """Whether nothing is stored under the name."""
        return self.engines <= {"View", "MaterializedView"}


@dataclass(frozen=True, slots=True)
class InPlace:
    """The tables and views of a database."""

    nodes: int
    seen: Mapping[str, Seen]

    def lacks(self, name: str) -> str:
        """How `name` is missing, as the end of a sentence; empty where it is there on every node."""
        there = self.seen[name].nodes if name in self.seen else 0
        return "" if there >= self.nodes else "is missing" if not there else f"is missing on {self.nodes - there} of {self.nodes} nodes"

    def is_another(self, definition: Definition) -> bool:
        """Whether something else has the view's name: another kind of table, or a view that feeds another table."""
        found = self.seen.get(definition.name)
        if found is None:
            return False
        return found.engines != {"MaterializedView" if definition.fed else "View"} or not found.fed <= {definition.fed}

    def holds(self, definition: Definition, remembered: Collection[str]) -> bool:
        """Whether the view that is there is the one that was put in place."""
        return not self.is_another(definition) and self.seen[definition.name].fingerprints <= set(remembered)


def look(client: Client, target: Target, only: str = "") -> InPlace:
    """The tables and views of `target.database`, or the one that is named; on a cluster those of every node that answers. Reads only."""
    if not target.cluster:
        return _look(client, target.database, only, 1, "system.tables")
    every = f"clusterAllReplicas('{target.cluster}', system.{{}})"
    try:
        ((nodes,),) = client.query(f"SELECT count() FROM {every.format('one')} SETTINGS skip_unavailable_shards = 1").rows
        return _look(client, target.database, only, nodes, every.format("tables"), " SETTINGS skip_unavailable_shards = 1")
    except ClickHouseError as error:
        if error.code != _NOT_ALLOWED:
            raise
    return _look(client, target.database, only, 1, "system.tables")


def _look(client: Client, database: str, only: str, nodes: int, source: str, settings: str = "") -> InPlace:
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

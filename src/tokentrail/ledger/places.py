"""Where a tenant may stand: every stored table of the database, by its columns.

The columns decide, so that a table that a later version adds is looked at too:

- a column `tenant_id` or `tenant`, `tenants` (a list), and `subject` of an alert;
- of maps of attributes the values whose name is that of a tenant: `tokentrail.tenant_id`, `traceloop.association.properties.tenant_id`, `tenant.id`;
- in `Body` the member `tenant_id` of a record's JSON, also of one that is no JSON any more.

On a cluster rows are counted in the table over all shards, and deleted from the tables behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import identifier
from tokentrail.clickhouse.migrate import cluster_of
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.query import answer

__all__ = ["KEPT_SUMS", "Place", "Table", "places", "tables"]

KEPT_SUMS: Final = 2**63
"""The first number of sums that retention keeps: no build of `tokentrail rollup` is as high."""

_LOCAL: Final = "_local"
_HASHES: Final = "removals"
"""The table whose tenants are hashes."""
_CREATION: Final = "creation"
"""The state of the tenant, the operation … that a job was created for."""
_NAMES: Final = frozenset({"tenant_id", "tenant"})
_LIST: Final = "tenants"
_IN_MAP: Final = "mapValues(mapFilter((name, value) -> match(name, '(^|[._])tenant([._]?id)?$'), {column}))"
_IN_BODY: Final = (
    "[JSONExtractString({column}, 'tenant_id'), "
    'JSONExtractString(concat(\'["\', extract({column}, \'"tenant_id"\\\\s*:\\\\s*"((?:[^"\\\\\\\\]|\\\\\\\\.)*)"\'), \'"]\'), 1)]'
)
_ANY_TIME: Final = "toDateTime64('1970-01-01 00:00:00', 9, 'UTC')"
_EARLIEST: Final = "toDateTime64('2020-01-01 00:00:00', 9, 'UTC')"
"""Earlier times are not believed: definitions/usage_parse.sql."""
_NEVER: Final = "toDateTime64('2262-01-01 00:00:00', 9, 'UTC')"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows: the name under which all are read, the stored table that statements change, and its columns with their types."""

    name: str
    stored: str
    """With ON CLUSTER where there is a cluster."""
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A table whose rows state tenants, as SQL: the tenants of a row, and its time."""

    table: Table
    stated: str
    alone: str
    """The same without the tenants of which others stand in the same list: a row goes with these."""
    moment: str
    lists: tuple[str, ...] = ()
    """The columns with several tenants, out of which a tenant is taken."""


def tables(client: Client) -> list[Table]:
    """Returns all tables of the database that store rows, sorted by name."""
    columns: dict[str, dict[str, str]] = {}
    for table, name, kind in answer(client, "stored_columns").rows:
        columns.setdefault(table, {})[name] = kind
    on_cluster = Target(client.database, cluster_of(client, client.database)).on_cluster
    return [
        Table(name, f"{name}{_LOCAL}{on_cluster}" if f"{name}{_LOCAL}" in columns else identifier(name), has)
        for name, has in sorted(columns.items())
        if not (name.endswith(_LOCAL) and name.removesuffix(_LOCAL) in columns)
    ]


def places(found: Iterable[Table], *, kept_sums: bool = True) -> list[Place]:
    """Returns where tenants stand in tables. `kept_sums`: also in the sums that retention keeps."""
    return [place for table in found if table.name != _HASHES if (place := _place(table, kept_sums=kept_sums))]


def _place(table: Table, *, kept_sums: bool) -> Place | None:
    stated = [text for name, kind in table.columns.items() if (text := _stated(name, kind))]
    lists = tuple(name for name, kind in table.columns.items() if name == _LIST and "Array(" in kind)
    if not stated:
        return None
    if lists and "name" in table.columns:  # a budget of one tenant may have the tenant's name
        stated.append("[name]")
    alone = [f"if(length({text}) = 1, {text}, [])" if text in map(identifier, lists) else text for text in stated]
    if table.name == "key_conflicts":  # what was said for a key of others stays said
        alone = ["CAST([] AS Array(String))"]
    return Place(table, _together(stated), _together(alone), _moment(table, kept_sums=kept_sums), lists)


def _stated(name: str, kind: str) -> str:
    """Returns the tenants that a column states, as an array; empty for a column that states none."""
    column = identifier(name)
    if name in _NAMES and "String" in kind:
        return f"[toString({column})]"
    if name == _LIST and "Array(" in kind:
        return column
    if name == _CREATION and kind.startswith("AggregateFunction(argMin, Tuple(String"):
        return f"[tupleElement(finalizeAggregation({column}), 1)]"
    if name == "subject":
        return f"[{column}]"
    if name == "Body":
        return _IN_BODY.format(column=column)
    if kind.startswith("Map("):
        return _IN_MAP.format(column=column)
    return f"arrayFlatten(arrayMap(each -> {_IN_MAP.format(column='each')}, {column}))" if kind.startswith("Array(Map(") else ""


def _together(arrays: list[str]) -> str:
    return arrays[0] if len(arrays) == 1 else f"arrayConcat({', '.join(arrays)})"


def _moment(table: Table, *, kept_sums: bool) -> str:
    """Returns the time of a row: the earlier of its own and its arrival, since clocks of services may be ahead.

    A record in quarantine whose own time cannot be believed is as old as its arrival.
    """
    if table.name == "usage_days":
        return f"if(build >= {KEPT_SUMS} AND NOT {str(kept_sums).lower()}, {_NEVER}, toDateTime64(day, 9, 'UTC'))"
    if table.name == "usage_ledger":
        return f"if(key_ts > {_ANY_TIME}, key_ts, event_ts)"
    if table.name == "quarantine":
        return f"if(Timestamp < {_EARLIEST}, toDateTime64(arrived_at, 9, 'UTC'), least(Timestamp, toDateTime64(arrived_at, 9, 'UTC')))"
    own = [name for name in ("Timestamp", "TimeUnix", "arrived_at", "last_ts") if name in table.columns]
    times = [f"toDateTime64({name}, 9, 'UTC')" for name in own]
    return _ANY_TIME if not times else times[0] if len(times) == 1 else f"least({', '.join(times)})"

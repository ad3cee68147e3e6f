"""How long arrivals, logs, spans and metrics are kept, whoever's they are: the tables' own TTLs, by which ClickHouse removes whole days by itself.

The tables remember it: there is no second place where it is stated, and `tokentrail migrate` lets it be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.places import tables
from tokentrail.ledger.query import answer

__all__ = ["EXPIRING", "keep_days", "kept_days"]

EXPIRING: Final[Mapping[str, tuple[str, ...]]] = {
    "usage_landing": ("usage_landing",),
    "otel_logs": ("otel_logs",),
    "otel_traces": ("otel_traces", "otel_traces_trace_id_ts"),
    "otel_metrics": tuple(f"otel_metrics_{kind}" for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")),
}
"""The names under which the tables are spoken of: tables of one name are kept alike."""
_LOCAL: Final = "_local"
_TTL: Final = re.compile(r" TTL toDateTime\(arrived_at\) \+ toIntervalDay\((\d+)\)| TTL arrived_at \+ toIntervalDay\((\d+)\)")
_ANY_TTL: Final = " TTL "


def kept_days(client: Client) -> dict[str, int | None]:
    """Returns for how many days each kind of row is kept after its arrival; 0: for good, None: the tables have TTLs that were not set here."""
    engines = {name.removesuffix(_LOCAL): engine for name, engine in answer(client, "table_engines").rows if "MergeTree" in engine}
    found: dict[str, int | None] = {}
    for name, held in EXPIRING.items():
        days = {_days(engines[table]) for table in held if table in engines}
        if days:
            found[name] = days.pop() if len(days) == 1 else None
    return found


def keep_days(client: Client, name: str, days: int) -> bool:
    """Sets for how many days the rows of `name` are kept after their arrival; 0: for good. False if they are already."""
    if kept_days(client).get(name) == days:
        return False
    for table in tables(client):
        if table.name in EXPIRING[name]:
            change = f"MODIFY TTL toDateTime(arrived_at) + INTERVAL {days} DAY" if days else "REMOVE TTL"
            client.command(f"ALTER TABLE {table.stored} {change}")
    return True


def _days(engine: str) -> int | None:
    match = _TTL.search(engine)
    if match is None:
        return None if _ANY_TTL in engine else 0
    return int(match[1] or match[2])

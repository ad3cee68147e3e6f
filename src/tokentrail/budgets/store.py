"""Budgets in ClickHouse: each change is a new version, and the latest version of each budget counts. Nothing is changed or deleted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from tokentrail.budgets.budget import Budget
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.query import answer
from tokentrail.toml_files import FileError
from tokentrail.wording import did_you_mean

__all__ = ["load", "put", "remove", "stored"]

_ZONES: Final = "SELECT time_zone FROM system.time_zones WHERE has({zones:Array(String)}, time_zone)"


def stored(client: Client) -> list[dict[str, Any]]:
    """Returns the latest version of each budget."""
    return answer(client, "current_budgets").dicts()


def put(client: Client, budgets: Sequence[Budget]) -> None:
    """Stores budgets, each in place of the one of its name. Raises `FileError` for a time zone that ClickHouse does not know."""
    _write(client, budgets, removed=())


def load(client: Client, budgets: Sequence[Budget]) -> list[str]:
    """Stores budgets in place of all that were stored before. Returns the names of those that are not there any more."""
    kept = {each.name for each in budgets}
    gone = [each["name"] for each in stored(client) if each["name"] not in kept]
    _write(client, budgets, removed=gone)
    return gone


def remove(client: Client, names: Sequence[str]) -> None:
    """Removes budgets. Raises `FileError` for a name that is not stored, and removes nothing then."""
    known = [each["name"] for each in stored(client)]
    for name in names:
        if name not in known:
            raise FileError(f"there is no budget {name!r}.{did_you_mean(name, known)} There are {', '.join(known) or 'none'}")
    _write(client, (), removed=names)


def _write(client: Client, budgets: Sequence[Budget], *, removed: Iterable[str]) -> None:
    zones = sorted({each.timezone for each in budgets})
    known = {name for (name,) in client.query(_ZONES, {"zones": zones}).rows}
    for each in budgets:
        if each.timezone not in known:
            raise FileError(f"{each.name}: ClickHouse does not know the time zone {each.timezone}")
    ((latest,),) = client.query("SELECT max(version) FROM budgets").rows
    version = max(time.time_ns(), int(latest) + 1)  # also where the clock of this machine is behind the one that wrote the last
    rows = [{"version": version, **each.row()} for each in budgets]
    rows += [{"version": version, "name": name, "removed": True} for name in dict.fromkeys(removed)]
    if rows:
        client.insert_json("budgets", rows)

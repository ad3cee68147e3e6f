"""Erases a tenant from every table, and keeps what arrives again out.

An arriving record of an erased tenant with a time before the erasure is heard (its number is in `deliveries`, so that `verify` stays right) and not
taken: no view stores it. Only the landing table, spans and logs hold it as it came; `erase_again` removes it there, and so does `tokentrail
retention run`. The tenant's name is kept nowhere: erasures are known by a hash, also in the statements that the server keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.budgets import store as budgets
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.places import places, tables
from tokentrail.ledger.proof import Proof, prove
from tokentrail.ledger.query import answer, run
from tokentrail.ledger.removal import Removal, hashes, remove_rows, remove_usages, rows_of, store_rule, version_now

__all__ = ["Erased", "Share", "erase", "erase_again", "erasures", "share"]

_ROUNDS: Final = 3
"""So often rows are removed while records go on arriving that were sent before the erasure."""
_LEDGER: Final = "usage_ledger"

Progress = Callable[[str], None]
"""Is called with the name of each table that rows are removed from."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a tenant has: usages that count, and rows by table."""

    until: str
    usages: Mapping[str, Any]
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Erased:
    """The result of an erasure."""

    share: Share
    """What the tenant had before."""
    proof: Proof


def share(client: Client, tenant: str) -> Share:
    """Returns what an erasure of a tenant would remove; reads only."""
    until = str(answer(client, "removal_latest", {"tenant": tenant}).rows[0][0])
    removal = Removal(hashes(client, [tenant]), until)
    (usages,) = answer(client, "removal_usages", removal.parameters).dicts()
    return Share(until, usages, {place.table.name: rows for place in places(tables(client)) if (rows := rows_of(client, place, removal))})


def erase(client: Client, tenant: str, why: str, *, began: Progress = lambda _table: None) -> Erased:
    """Erases a tenant. Safe to repeat, and to interrupt: the next erasure of the tenant, or `erase_again`, finishes it."""
    had = share(client, tenant)
    removal = Removal(hashes(client, [tenant]), had.until)
    store_rule(client, "erasure", {removal.tenants[0]: had.until}, version_now(), why)
    budgets.remove(client, [each["name"] for each in budgets.stored(client) if each["tenants"] == [tenant]])
    for _ in range(_ROUNDS):
        _erase(client, removal, began)
        proof = prove(client, tenant, had.until)
        if proof.gone:
            break
    return Erased(had, proof)


def erase_again(client: Client, *, began: Progress = lambda _table: None) -> int:
    """Removes what has arrived again of erased tenants, from the tables that store arrivals as they come. Returns the number of rows."""
    return sum(_erase(client, Removal((each["tenant"],), str(each["until"])), began) for each in erasures(client))


def erasures(client: Client) -> list[dict[str, Any]]:
    """Returns what was erased: the hash of each tenant, until when, why and when."""
    return answer(client, "erasures").dicts()


def _erase(client: Client, removal: Removal, began: Progress) -> int:
    """Removes the rows of a tenant from every table. Returns the number of rows that stated the tenant."""
    found = tables(client)
    standing = {place.table.name: (place, rows) for place in places(found) if (rows := rows_of(client, place, removal))}
    remove_usages(client, removal, {table.name: table for table in found}, began=began)
    if _LEDGER in standing:
        ledger, _ = standing[_LEDGER]
        if rows_of(client, ledger, removal):
            stored = next(table.stored for table in found if table.name == "deliveries").partition(" ")[0]
            run(client, "removal_checks", removal.parameters, {"table": stored})
            run(client, "removal_unnamed", removal.parameters, {"table": ledger.table.stored})
    for name, (place, _) in standing.items():
        if name != _LEDGER:
            remove_rows(client, removal, place, began=began)
    return sum(rows for _, rows in standing.values())

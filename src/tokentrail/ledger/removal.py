"""Removes usages of tenants for good, so that `verify` stays right: what both an erasure and a retention do.

The order makes an interruption harmless: the rule by which arrivals are not taken comes first; then the identities of what is removed, so that no
removed call is called lost (and a call that was lost before is not among them); then the rows. Whoever repeats a removal finishes it. The claimed
keys that a removal is about to remove are stored under its number: two removals at once leave each other's keys alone, and `verify` leaves out keys
of which only a part is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.places import Place, Table
from tokentrail.ledger.query import answer, run
from tokentrail.ledger.rollup import mark_changed

__all__ = ["Removal", "hashes", "remove_rows", "remove_usages", "rows_of", "store_rule", "version_now"]

_LEDGER: Final = "usage_ledger"
_CONFLICTS: Final = "key_conflicts"
_REMOVING: Final = "removing_keys"
_QUARANTINE: Final = "quarantine"
_SUMS: Final = "usage_days"


@dataclass(frozen=True, slots=True)
class Removal:
    """The usages to remove: those of `tenants` (hashes) before `until` (UTC, as ClickHouse writes it); with `others` those of all other tenants."""

    tenants: tuple[str, ...]
    until: str
    others: bool = False

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters of the queries."""
        return {"tenants": list(self.tenants), "others": int(self.others), "until": self.until}


def hashes(client: Client, names: Sequence[str]) -> tuple[str, ...]:
    """Returns the hashes by which removed tenants are known."""
    return tuple(answer(client, "tenant_hashes", {"names": names}).rows[0][0])


def version_now() -> int:
    """Returns the number of a removal that begins now: later ones have higher numbers."""
    return time.time_ns()


def store_rule(client: Client, cause: str, rules: Mapping[str, str], version: int, why: str) -> None:
    """Stores up to when usages of tenants (by hash) are not taken any more. From now on arrivals before that are heard and not taken."""
    rows = [{"cause": cause, "tenant": tenant, "until": until, "version": version, "why": why} for tenant, until in rules.items()]
    client.insert_json("removals", rows)


def rows_of(client: Client, place: Place, removal: Removal) -> int:
    """Returns how many rows of a place a removal takes."""
    slots = {"table": place.table.name, "stated": place.stated, "moment": place.moment}
    ((rows,),) = answer(client, "removal_rows", removal.parameters, slots).rows
    return int(rows)


def remove_usages(client: Client, removal: Removal, by_name: Mapping[str, Table], *, began: Callable[[str], None] = lambda _table: None) -> None:
    """Removes usages from the ledger, and from what was said for their claimed keys."""
    number = version_now()
    numbered = removal.parameters | {"removal": number}
    run(client, "removal_keys", numbered)
    began(_CONFLICTS)
    run(client, "removal_key_conflicts", {"removal": number}, {"table": by_name[_CONFLICTS].stored})
    days = [day for (day,) in answer(client, "removal_days", removal.parameters).rows]
    mark_changed(client, days)  # no moment counts sums of which the ledger has less
    began(_LEDGER)
    run(client, "removal_calls", numbered)  # as late as can be: what an insert has brought that began before the rule is among them
    run(client, "removal_ledger", numbered, {"table": by_name[_LEDGER].stored})
    mark_changed(client, days)  # a rollup may have read the ledger meanwhile
    run(client, "removal_end", {"removal": number}, {"table": by_name[_REMOVING].stored})


def remove_rows(client: Client, removal: Removal, place: Place, *, began: Callable[[str], None] = lambda _table: None) -> None:
    """Removes the rows of a place, and takes the tenants out of lists with other ones."""
    if not rows_of(client, place, removal):
        return
    began(place.table.name)
    where = {"stated": place.alone, "moment": place.moment}
    if place.table.name == _SUMS:  # the stored sums are not those that were built: the days are read from the ledger until they are built anew
        mark_changed(client, [day for (day,) in answer(client, "removal_summed_days", removal.parameters, where).rows])
    if place.table.name == _QUARANTINE:
        run(client, "removal_quarantined", removal.parameters, where)
    run(client, "removal_delete", removal.parameters, where | {"table": place.table.stored})
    for column in place.lists:
        slots = {"table": place.table.stored, "column": column, "stated": column, "moment": place.moment}
        run(client, "removal_forget", removal.parameters, slots)

"""Keeps usages for so many days, by tenant, and removes what is older so that `verify` stays right.

A rule is set for a tenant or for everyone else; nothing is removed before `run`. Days are whole days, UTC: what is removed of a day is all of a
tenant's usages of that day, so that the sums of the other tenants stay the ledger's. Where a rule keeps sums, the sums by day of what is removed are
read by the view `usage_kept`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tokentrail.clickhouse.client import Client
from tokentrail.ledger.places import KEPT_SUMS, Place, places, tables
from tokentrail.ledger.query import answer, run
from tokentrail.ledger.removal import Removal, hashes, remove_rows, remove_usages, rows_of, store_rule, version_now

__all__ = ["Expired", "Rule", "enforce", "rules", "set_rule", "unset_rule"]

_EVERYONE: Final = "0"
"""In place of a hash: all tenants without a rule of their own."""
_FOR_GOOD: Final = "1970-01-01 00:00:00"
_TABLES: Final = ("quarantine", "usage_days")
_LEDGER: Final = "usage_ledger"
_DAYS_AT_ONCE: Final = 7


@dataclass(frozen=True, slots=True)
class Rule:
    """How long the usages of a tenant are kept; `tenant` None: of everyone without a rule of its own; `days` 0: for good."""

    tenant: str | None
    days: int
    keep_sums: bool
    at: str = ""


@dataclass(frozen=True, slots=True)
class Expired:
    """What a run has removed by one rule, or would remove: stored rows of usages from before `until`."""

    rule: Rule
    until: str
    rows: int


def rules(client: Client) -> list[Rule]:
    """Returns the rules in force, that of everyone first."""
    found = answer(client, "retention_now").dicts()
    return [Rule(None if row["everyone"] else row["tenant"], row["days"], bool(row["keep_sums"]), str(row["at"])) for row in found]


def set_rule(client: Client, rule: Rule) -> None:
    """Sets a rule in place of the former one of the same tenant."""
    _write(client, rule.tenant, days=rule.days, keep_sums=rule.keep_sums)


def unset_rule(client: Client, tenant: str | None) -> bool:
    """Takes a rule away. False if there is none."""
    known = any(rule.tenant == tenant for rule in rules(client))
    if known:
        _write(client, tenant, removed=True)
    return known


def enforce(client: Client, *, dry_run: bool = False, began: Callable[[str], None] = lambda _table: None) -> list[Expired]:
    """Removes what is older than the rules say. Safe to repeat, and to interrupt. Arrivals that are older are not taken from then on."""
    now = datetime.fromisoformat(str(answer(client, "tenant_hashes", {"names": []}).rows[0][1])[:19])
    found = rules(client)
    own = [rule for rule in found if rule.tenant is not None]
    known = dict(zip(own, hashes(client, [rule.tenant or "" for rule in own]), strict=True))
    untils = {known.get(rule, _EVERYONE): _until(rule, now) for rule in found}
    for tenant, until in answer(client, "retention_kept").rows:  # what the kept sums have told of is not taken again, whatever the rules are now
        if until > untils.get(tenant, untils.get(_EVERYONE, _FOR_GOOD)):
            untils[tenant] = until
    version = version_now()
    if not dry_run and (untils or answer(client, "retention_latest").rows):
        store_rule(client, "retention", untils or {_EVERYONE: _FOR_GOOD}, version, "retention")
        run(client, "retention_forget", {"version": version})
    by_name = {table.name: table for table in tables(client)}
    standing = {place.table.name: place for place in places(by_name.values(), kept_sums=False)}
    done = []
    for rule in found:
        if not rule.days:
            continue
        removal = Removal((known[rule],) if rule in known else tuple(known.values()), _until(rule, now), others=rule not in known)
        rows = sum(rows_of(client, standing[name], removal) for name in (_LEDGER, _TABLES[0]))
        done.append(Expired(rule, removal.until, rows))
        if dry_run:
            continue
        if rule.keep_sums:
            _keep_sums(client, removal, KEPT_SUMS + version % KEPT_SUMS)
        if rows_of(client, standing[_LEDGER], removal):
            remove_usages(client, removal, by_name, began=began)
        _remove_from(client, [standing[name] for name in _TABLES], removal, began)
    return done


def _remove_from(client: Client, found: list[Place], removal: Removal, began: Callable[[str], None]) -> None:
    for place in found:
        remove_rows(client, removal, place, began=began)


def _keep_sums(client: Client, removal: Removal, build: int) -> None:
    days = [str(day) for (day,) in answer(client, "removal_days", removal.parameters).rows]
    for first in range(0, len(days), _DAYS_AT_ONCE):
        run(client, "removal_sums", removal.parameters | {"build": build, "days": days[first : first + _DAYS_AT_ONCE]})


def _until(rule: Rule, now: datetime) -> str:
    return f"{(now - timedelta(days=rule.days)).date()} 00:00:00" if rule.days else _FOR_GOOD


def _write(client: Client, tenant: str | None, **fields: Any) -> None:
    row = {"tenant": tenant or "", "everyone": tenant is None, "version": version_now(), "days": 0, "keep_sums": False, **fields}
    client.insert_json("retention_rules", [row])

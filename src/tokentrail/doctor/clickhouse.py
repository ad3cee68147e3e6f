"""Checks that ClickHouse answers and has the tables of this version, and what the bridge there has taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokentrail.clickhouse.client import ClickHouseError, Client, connect
from tokentrail.clickhouse.migrate import Kind, bridge_is_on, cluster_of, lost_tables, lost_tables_sentence, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.doctor.finding import Finding
from tokentrail.ledger.query import answer
from tokentrail.wording import counted

__all__ = ["check_clickhouse"]

SHOWN: Final = 4
"""The largest number of migrations and definitions that are listed by name."""


def check_clickhouse(dsn: str) -> Iterator[Finding]:
    """Yields findings on the ledger's address and version, pending migrations, dropped tables and views, and the bridge of a ledger that is well."""
    try:
        client = connect(dsn)
    except ClickHouseError as error:
        yield Finding("ClickHouse", "wrong", str(error))
        return
    try:
        version = client.query("SELECT version()").rows[0][0]
        target = Target(database=client.database, cluster=cluster_of(client, client.database))
        where = f"{client.address} ({version})"
        pending = plan(client, target)
        dropped = [step.name for step in pending if step.kind is Kind.DROPPED]
        lost = lost_tables(client, target)
        if lost:
            yield Finding("ClickHouse", "wrong", f"{where}: {lost_tables_sentence(lost)}")
        if dropped:
            yield Finding(
                "ClickHouse",
                "wrong",
                f"{where}: somebody dropped {', '.join(dropped)}: tokentrail migrate puts {'it' if len(dropped) == 1 else 'them'} back",
            )
        to_run = [f"{step.name} {step.reason}" for step in pending if step.kind is not Kind.DROPPED]
        if to_run:
            named = ", ".join(to_run) if len(to_run) <= SHOWN else f"{counted(len(to_run), 'migration')} to be run"
            yield Finding("ClickHouse", "wrong", f"{where}: {named}: tokentrail migrate")
        if not pending and not lost:
            yield Finding("ClickHouse", "ok", f"{where}: the tables are those of this version")
            yield _check_bridge(client, target)
    except ClickHouseError as error:
        yield Finding("ClickHouse", "wrong", str(error))
    finally:
        client.close()


def _check_bridge(client: Client, target: Target) -> Finding:
    """Returns the finding on the views that take spans and events of other instrumentations, in any language."""
    what = "bridge in ClickHouse"
    if not bridge_is_on(client, target):
        return Finding(what, "ok", "off: what only spans of other instrumentations tell of is not counted (tokentrail migrate --bridge on)")
    ((since, bridged, counted_rows),) = answer(client, "bridged").rows
    on = f"on since {str(since)[:16]} UTC"
    if not bridged:
        return Finding(what, "note", f"{on}, and no row was bridged in the last day: no span or event that has arrived states tokens")
    others = bridged - counted_rows
    told = f", of which other records tell of {others:,} too" if others else ""
    return Finding(what, "ok", f"{on}: {counted(bridged, 'row')} bridged in the last day{told}")

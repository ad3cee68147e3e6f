"""Checks that ClickHouse answers and has the tables of this version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.clickhouse.migrate import Kind, cluster_of, lost_tables, lost_tables_sentence, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.doctor.finding import Finding
from tokentrail.wording import counted

__all__ = ["check_clickhouse"]

SHOWN: Final = 4
"""The largest number of migrations and definitions that are listed by name."""


def check_clickhouse(dsn: str) -> Iterator[Finding]:
    """Yields findings on the ledger's address and version, pending migrations, and dropped tables and views."""
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
    except ClickHouseError as error:
        yield Finding("ClickHouse", "wrong", str(error))
    finally:
        client.close()

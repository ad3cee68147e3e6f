"""Whether ClickHouse answers and has the tables of this version."""

from __future__ import annotations

from collections.abc import Iterator

from tokentrail.clickhouse.client import ClickHouseError, connect
from tokentrail.clickhouse.migrate import plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.doctor.finding import Finding

__all__ = ["check_clickhouse"]


def check_clickhouse(dsn: str) -> Iterator[Finding]:
    """The ledger's address, version and pending migrations."""
    try:
        client = connect(dsn)
    except ClickHouseError as error:
        yield Finding("ClickHouse", "wrong", str(error))
        return
    try:
        version = client.query("SELECT version()").rows[0][0]
        pending = plan(client, Target(database=client.database))
        if pending:
            yield Finding("ClickHouse", "wrong", f"{client.address} ({version}): {len(pending)} migrations are to be run: tokentrail migrate")
        else:
            yield Finding("ClickHouse", "ok", f"{client.address} ({version}): the tables are those of this version")
    except ClickHouseError as error:
        yield Finding("ClickHouse", "wrong", str(error))
    finally:
        client.close()

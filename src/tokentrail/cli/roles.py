"""`tokentrail export roles`: prints the SQL of ClickHouse's roles for the programs of a ledger, and for the readers of one tenant."""

from __future__ import annotations

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.stdout import write_text
from tokentrail.clickhouse.dsn import DEFAULT_DATABASE
from tokentrail.clickhouse.roles import roles, tenant_roles
from tokentrail.clickhouse.sqlfiles import Target

__all__ = ["command"]


@click.command(name="roles", short_help="What each program and each tenant may do in ClickHouse, as SQL.")
@click.option("--database", default=DEFAULT_DATABASE, show_default=True, help="The ledger's database.")
@click.option("--cluster", default="", help="The cluster that `tokentrail migrate --cluster` was given.")
@click.option(
    "--tenant", help="In place of the programs' roles: a database of views with this tenant's rows alone, and a role that reads nothing else."
)
def command(*, database: str, cluster: str, tenant: str | None) -> None:
    """Print SQL for an administrator of ClickHouse. Nothing is changed, and no server is asked.

    Without --tenant: the roles tokentrail_writer (the Collector), _reader, _grafana, _rollup, _check, _operator and _migrator. With --tenant: views
    with the names that `report` and `query` read. The readers of a tenant put that database into their address.

    \b
    Example:  tokentrail export roles | clickhouse client --user admin --password
              tokentrail export roles --tenant acme | clickhouse client --user admin --password
              TOKENTRAIL_CLICKHOUSE_DSN=http://user:password@clickhouse:8123/tokentrail_tenant_acme tokentrail report
    """
    if not database:
        raise Misuse("--database is empty: name the ledger's database.")
    try:
        target = Target(database, cluster)
        found = roles(target) if tenant is None else tenant_roles(target, tenant)
    except ValueError as error:
        raise Misuse(f"{error}.") from None
    write_text("".join(f"{statement};\n" for statement in found))

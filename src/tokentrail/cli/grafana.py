"""`tokentrail grafana`: Grafana's files, made from the ledger's questions."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import say
from tokentrail.cli.suggest import Group
from tokentrail.grafana.files import FolderError, write

__all__ = ["command"]


@click.group(name="grafana", cls=Group)
def command() -> None:
    """Dashboards for Grafana 11.6 or newer with its ClickHouse data source.

    \b
    Example:  tokentrail grafana export ./grafana
    """


@command.command()
@click.argument("folder", metavar="DIR", type=NamedPath())
def export(folder: Path) -> None:
    """Write the data source, the dashboards and the alert rules into DIR, as files that Grafana reads when it starts.

    DIR does not exist, or is empty: dashboards that somebody has changed are never replaced. Every panel asks one of the questions that
    `tokentrail query` lists, so its numbers are those of the command line.

    \b
    Example:  tokentrail grafana export ./grafana
              docker run -p 3000:3000 -v ./grafana/provisioning:/etc/grafana/provisioning \\
                  -e GF_PLUGINS_PREINSTALL=grafana-clickhouse-datasource grafana/grafana
    """
    try:
        paths = write(folder)
    except FolderError as error:
        raise Misuse(f"{error}.") from None
    for path in paths:
        say(f"wrote  {path}")
    click.echo("\nnext:")
    click.echo("  grafana cli plugins install grafana-clickhouse-datasource")
    say(f"  cp -r {shlex.quote(str(folder / 'provisioning'))}/. /etc/grafana/provisioning/")
    click.echo("\nprovisioning/datasources/tokentrail.yaml names the ClickHouse server; TOKENTRAIL_GRAFANA_PASSWORD is its user's password.")

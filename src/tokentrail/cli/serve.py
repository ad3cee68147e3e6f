"""`tokentrail serve`: runs ClickHouse and an OTLP receiver on this machine, without Docker, Go or a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.paths import NamedPath

if TYPE_CHECKING:
    from tokentrail.embedded.server import Addresses

__all__ = ["command"]


@click.command(name="serve")
@click.option("--data", type=click.Path(), help="Folder of the data; made where it is missing.  [default: the user's data folder]")
@click.option(
    "--http-port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="Port of ClickHouse's HTTP interface; 0: any free one."
)
@click.option("--otlp-port", type=click.IntRange(0, 65535), default=4318, show_default=True, help="Port of the OTLP/HTTP receiver; 0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on: there are no users and no TLS.")
@click.option("--ready-file", type=NamedPath(), help="Write the addresses here as JSON when all is ready; removed at the end.")
@click.option(
    "--rollup-interval",
    type=click.FloatRange(0),
    default=600.0,
    show_default=True,
    help="Seconds between two refreshes of the sums by day (tokentrail rollup); 0: never.",
)
@click.option("--until-stdin-ends", is_flag=True, help="Stop when standard input ends, so with the program that started this one.")
def command(
    *, data: str | None, http_port: int, otlp_port: int, host: str, ready_file: Path | None, rollup_interval: float, until_stdin_ends: bool
) -> None:
    """Serve an embedded ClickHouse (HTTP), an OTLP/HTTP receiver that fills its tables, and a page on what is in them, until Ctrl-C or SIGTERM.

    Tables are brought up to date at the start. An acknowledged row survives the kill of this process; for a power loss too, set
    fsync_after_insert = 1 and fsync_part_directory = 1 on a table with ALTER TABLE ... MODIFY SETTING.

    \b
    Example:
        tokentrail serve --data ./usage --http-port 0 --otlp-port 0
    """
    try:
        from tokentrail.embedded.errors import CannotStart  # noqa: PLC0415 - the extra may be missing
        from tokentrail.embedded.run import default_data, serve  # noqa: PLC0415
        from tokentrail.embedded.server import Server  # noqa: PLC0415
    except ImportError as error:
        raise Misuse(f'{error.name} is not installed: pip install "tokentrail[embedded]"') from error
    if data == "":
        raise Misuse("--data is empty: name the folder of the data.")
    try:
        server = Server(data or default_data(), http_port=http_port, otlp_port=otlp_port, host=host)
        serve(server, ready_file=ready_file, until_stdin_ends=until_stdin_ends, announce=_announce, rollup_s=rollup_interval)
    except CannotStart as error:
        raise Misuse(str(error)) from error
    click.echo("stopped: everything acknowledged is on disk")


def _announce(addresses: Addresses) -> None:
    default = addresses.http.endswith(":8123") and addresses.otlp.endswith(":4318")
    dsn = "" if default else f" --dsn {addresses.dsn}"
    endpoint = "" if default else f"OTEL_EXPORTER_OTLP_ENDPOINT={addresses.otlp} "
    click.echo(f"ClickHouse  {addresses.http}   database tokentrail, any user, no password")
    click.echo(f"OTLP/HTTP   {addresses.otlp}   logs, traces, metrics (protobuf or JSON)")
    click.echo(f"dashboard   {addresses.http}/dashboard")
    click.echo(f"data        {addresses.data}")
    click.echo()
    click.echo(f"next        {endpoint}python your_service.py")
    click.echo(f"            tokentrail report{dsn} --by tenant_id,model")
    click.echo("            Ctrl-C stops it")

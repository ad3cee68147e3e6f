"""`tokentrail serve`: runs ClickHouse and an OTLP receiver on this machine, without Docker, Go or a server."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import say

if TYPE_CHECKING:
    from tokentrail.embedded.access import Access
    from tokentrail.embedded.server import Addresses

__all__ = ["command"]

DEFAULT_USER: Final = "default"
LEAST_PASSWORD: Final = 8
LONGEST_FILE: Final = 4096


@click.command(name="serve")
@click.option("--data", type=click.Path(), help="Folder of the data; made where it is missing.  [default: the user's data folder]")
@click.option(
    "--http-port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="Port of ClickHouse's HTTP interface; 0: any free one."
)
@click.option("--otlp-port", type=click.IntRange(0, 65535), default=4318, show_default=True, help="Port of the OTLP/HTTP receiver; 0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on. Beyond loopback only with a password: there is no TLS.")
@click.option(
    "--password-file",
    type=NamedPath(),
    envvar="TOKENTRAIL_SERVE_PASSWORD_FILE",
    show_envvar=True,
    help="File with the password that clients need, in one line; or the variable TOKENTRAIL_SERVE_PASSWORD. Without either: no password.",
)
@click.option("--user", default=DEFAULT_USER, show_default=True, envvar="TOKENTRAIL_SERVE_USER", show_envvar=True, help="The user of that password.")
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    envvar="TOKENTRAIL_SERVE_HOSTS",
    show_envvar=True,
    help="A further name by which clients call this server, such as its name in a compose file; addresses are known. Several: repeat it.",
)
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
    *,
    data: str | None,
    http_port: int,
    otlp_port: int,
    host: str,
    password_file: Path | None,
    user: str,
    hosts: tuple[str, ...],
    ready_file: Path | None,
    rollup_interval: float,
    until_stdin_ends: bool,
) -> None:
    """Serve an embedded ClickHouse (HTTP), an OTLP/HTTP receiver that fills its tables, and a page on what is in them, until Ctrl-C or SIGTERM.

    Tables are brought up to date at the start. An acknowledged row survives the kill of this process; for a power loss too, set
    fsync_after_insert = 1 and fsync_part_directory = 1 on a table with ALTER TABLE ... MODIFY SETTING.

    \b
    Example:
        tokentrail serve --data ./usage --http-port 0 --otlp-port 0
    """
    try:
        from tokentrail.embedded.access import Access  # noqa: PLC0415 - the extra may be missing
        from tokentrail.embedded.errors import CannotStart  # noqa: PLC0415
        from tokentrail.embedded.run import default_data, serve  # noqa: PLC0415
        from tokentrail.embedded.server import Server  # noqa: PLC0415
    except ImportError as error:
        raise Misuse(f'{error.name} is not installed: pip install "tokentrail[embedded]"') from error
    if data == "":
        raise Misuse("--data is empty: name the folder of the data.")
    access = Access(user, _password(password_file), hosts)
    try:
        server = Server(data or default_data(), http_port=http_port, otlp_port=otlp_port, host=host, access=access)
        announce = partial(_announce, server.access)
        serve(server, ready_file=ready_file, until_stdin_ends=until_stdin_ends, announce=announce, rollup_s=rollup_interval)
    except CannotStart as error:
        raise Misuse(str(error)) from error
    click.echo("stopped: everything acknowledged is on disk")


def _password(file: Path | None) -> str:
    """Returns the password of the file or of the variable; "" for none. It is no argument: other users of the machine see arguments."""
    if file is None:
        password = os.environ.get("TOKENTRAIL_SERVE_PASSWORD", "")
        source = "TOKENTRAIL_SERVE_PASSWORD"
        if not password:
            return ""
    else:
        source = f"the password file {file}"
        try:
            with file.open("rb") as given:
                password = given.read(LONGEST_FILE).decode().rstrip("\r\n")
        except OSError as error:
            raise Misuse(f"{source} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise Misuse(f"{source} is no text in UTF-8") from None
    if len(password) < LEAST_PASSWORD or not password.isprintable():
        raise Misuse(f"{source} has no password of at least {LEAST_PASSWORD} printable characters in one line")
    return password


def _warn(addresses: Addresses) -> None:
    ports = " and ".join(url.partition("//")[2] for url in (addresses.http, addresses.otlp))
    say(
        f"Warning: whoever reaches {ports} and has the password reads and writes all data here, with the rights of this user, and there is no TLS: "
        "password and data cross the network readable. Use it in a network of your own, or put a proxy with TLS before it.",
        err=True,
    )


def _announce(access: Access, addresses: Addresses) -> None:
    if access.beyond:
        _warn(addresses)
    default = addresses.http.endswith(":8123") and addresses.otlp.endswith(":4318")
    dsn = "" if default else f" --dsn {addresses.dsn}"
    endpoint = "" if default else f"OTEL_EXPORTER_OTLP_ENDPOINT={addresses.otlp} "
    who = f"user {access.user}, with the password" if access.password else "any user, no password"
    say(f"ClickHouse  {addresses.http}   database tokentrail, {who}")
    say(f"OTLP/HTTP   {addresses.otlp}   logs, traces, metrics (protobuf or JSON)")
    say(f"dashboard   {addresses.http}/dashboard")
    say(f"data        {addresses.data}")
    click.echo()
    say(f"next        {endpoint}python your_service.py")
    say(f"            tokentrail report{dsn} --by tenant_id,model")
    if access.password:
        say(f"            with the password: http://{access.user}:…@ in ClickHouse's address, and for OTLP")
        click.echo("            OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20…")
    click.echo("            Ctrl-C stops it")

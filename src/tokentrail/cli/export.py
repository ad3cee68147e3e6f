"""`tokentrail export`: writes files for deployment from the package into the user's folder."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from tokentrail.cli.errors import Misuse
from tokentrail.deploy.collector import FILES, config_folder, gateway_url

__all__ = ["command"]


@click.group(name="export")
def command() -> None:
    """Write files that are deployed beside your services into a folder.

    \b
    Example:  tokentrail export collector ./collector
    """


@command.command(short_help="The official OpenTelemetry Collector's configurations.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace files that differ from those of the package.")
def collector(folder: Path, force: bool) -> None:
    """Write the configurations of the official OpenTelemetry Collector into DIR. A missing DIR is created.

    gateway.yaml and agent.yaml, which lose nothing; the manifest from which the official builder makes a smaller Collector; an example for
    containers; Grafana's connection; and a README on each part and each variable. A file of the same name that differs is
    left alone, and nothing is written, unless --force is given.

    \b
    Example:  tokentrail export collector ./collector
              otelcol-contrib --config ./collector/gateway.yaml
    """
    if folder.exists() and not folder.is_dir():
        raise Misuse(f"{folder} is a file: name a folder.")
    source = config_folder()
    contents = {name: (source / name).read_bytes() for name in FILES}
    try:
        states = _write_files(folder, contents, force=force)
    except OSError as error:
        raise Misuse(f"{error.filename or folder} cannot be written: {error.strerror or error}.") from None
    for name, state in states.items():
        click.echo(f"{state}  {folder / name}")
    click.echo("\nnext:")
    click.echo(f"  otelcol-contrib --config {shlex.quote(str(folder / 'gateway.yaml'))}")
    click.echo(f"  export OTEL_EXPORTER_OTLP_ENDPOINT={gateway_url()}   # for the services on the same host")
    click.echo(f"\n{folder / 'README.md'} names the variables that lead the gateway to your ClickHouse.")


def _write_files(folder: Path, contents: dict[str, bytes], *, force: bool) -> dict[str, str]:
    """Writes missing files. Writes nothing if a file differs and `force` is not given. Returns the state of each file."""
    states = {}
    for name, content in contents.items():
        path = folder / name
        states[name] = "wrote    " if not path.exists() else "unchanged" if path.is_file() and path.read_bytes() == content else "replaced "
    differing = [name for name, state in states.items() if state == "replaced "]
    if differing and not force:
        verb = "differs" if len(differing) == 1 else "differ"
        raise Misuse(f"{', '.join(differing)} in {folder} {verb} from ours: nothing was written; --force replaces what differs.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if states[name] != "unchanged":
            _write_whole(folder / name, content)
    return states


def _write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there whole or not at all, whatever interrupts this program."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)

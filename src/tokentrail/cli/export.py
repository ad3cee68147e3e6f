"""`tokentrail export`: writes files for deployment from the package, costs for FinOps tools, the whole ledger; prints roles for ClickHouse."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from tokentrail import focus
from tokentrail.cli import roles
from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.archive import export_command
from tokentrail.cli.errors import Misuse
from tokentrail.cli.filters import range_options
from tokentrail.cli.output import harmless
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import is_terminal, say, write_bytes
from tokentrail.cli.suggest import Group
from tokentrail.deploy.collector import FILES, config_folder, gateway_url
from tokentrail.ledger.query import answer
from tokentrail.whole_files import replaced
from tokentrail.wording import counted, of_number

__all__ = ["command"]


class _Export(Group):
    """The subcommands, of which `--format NAME` names one too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes `--format focus …` for `focus …`."""
        flag, equals, value = args[0].partition("=") if args else ("", "", "")
        if flag == "--format":
            args = [value, *args[1:]] if equals else args[1:]
        return super().parse_args(ctx, args)


@click.group(name="export", cls=_Export)
def command() -> None:
    """Write files that are deployed beside your services, costs for FinOps tools, roles of ClickHouse's users, and the whole ledger.

    \b
    Example:  tokentrail export collector ./collector
              tokentrail export --format focus november.csv --from 2026-11
              tokentrail export ledger --to /backup/ledger
    """


@command.command(short_help="The official OpenTelemetry Collector's configurations.")
@click.argument("folder", metavar="DIR", type=NamedPath())
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
    source = config_folder()
    contents = {name: (source / name).read_bytes() for name in FILES}
    try:
        if folder.exists() and not folder.is_dir():
            raise Misuse(f"{folder} is a file: name a folder.")
        states = _write_files(folder, contents, force=force)
    except OSError as error:
        raise Misuse(f"{error.filename or folder} cannot be written: {error.strerror or error}.") from None
    for name, state in states.items():
        say(f"{state}  {folder / name}")
    click.echo("\nnext:")
    say(f"  otelcol-contrib --config {shlex.quote(str(folder / 'gateway.yaml'))}")
    say(f"  export OTEL_EXPORTER_OTLP_ENDPOINT={gateway_url()}   # for the services on the same host")
    say(f"\n{folder / 'README.md'} names the variables that lead the gateway to your ClickHouse.")


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
            with replaced(folder / name) as written:
                written.write(content)
    return states


@command.command(short_help="Costs in FOCUS, the FinOps Open Cost and Usage Specification.")
@click.argument("file", type=NamedPath())
@range_options
@click.option("--step", type=click.Choice(["hour", "day", "month"]), default="day", show_default=True, help="The time that a charge is for, UTC.")
@click.option("--currency", default="", help="All costs in this currency, by the rate at the time of each call; else that of each price.")
@click.option("--account", default="tokentrail", show_default=True, help="The billing account, which the ledger does not know.")
@click.option("--focus-version", "version", type=click.Choice(focus.VERSIONS), default=focus.VERSIONS[0], show_default=True, help="The columns.")
@click.option("--force", is_flag=True, help="Replace FILE.")
@dsn_option
def focus_command(
    *, file: Path, start: str | None, end: str | None, step: str, currency: str, account: str, version: str, force: bool, dsn: str
) -> None:
    """Write costs in FOCUS to FILE: .csv, .parquet, or - for standard output (CSV).

    There is a row for each time (UTC), provider, model, tenant, operation, service, environment, class of tokens and price. The tenant is the sub
    account; tenant, operation, service and environment are tags. The costs of all rows are those of `tokentrail query cost`. What has no price is in
    no row; a line on standard error states that.

    \b
    Example:  tokentrail export --format focus november.csv --from 2026-11
              tokentrail export focus november.parquet --from 2026-11 --step hour --currency EUR
    """
    kind = "csv" if str(file) == "-" else file.suffix.lower().removeprefix(".")
    if kind not in ("csv", "parquet"):
        raise Misuse(f"{file} ends in neither .csv nor .parquet.")
    if currency and not re.fullmatch("[A-Z]{3}", currency):
        raise Misuse(f"{currency!r} is no currency: write three letters, such as EUR.")
    if start is not None and end is not None and start >= end:
        raise Misuse("--from is not before --to: the range is empty (--to is excluded).")
    if str(file) != "-" and not force:
        _refuse_existing(file)
    given = {"from": start, "to": end, "step": step, "currency": currency}
    values = {name: value for name, value in given.items() if value is not None}
    with opened(dsn) as client:
        charges = answer(client, "charges", values).dicts()
        del values["step"]
        costs = answer(client, "cost", {**values, "by": "provider"}).dicts()
    found = focus.rows(charges, account=account, version=version)
    if str(file) == "-":
        text = io.StringIO(newline="")
        focus.write_csv(text, version, found)
        data = text.getvalue().encode("utf-8", "replace")
        write_bytes(harmless(data, in_json=False) if is_terminal() else data)
    else:
        number = _put(file, kind, version, found)
        say(f"{file}: {counted(number, 'charge')}, FOCUS {version}")
    unpriced = sum(row["unpriced_calls"] for row in costs)
    if unpriced:
        say(f"{counted(unpriced, 'call')} without a price {of_number(unpriced, 'is', 'are')} in no charge: tokentrail query prices", err=True)


focus_command.name = "focus"
command.add_command(roles.command)
command.add_command(export_command)


def _refuse_existing(file: Path) -> None:
    try:
        if file.exists():
            raise Misuse(f"{file} exists: nothing was written; --force replaces it.")
    except OSError as error:
        raise _unwritable(file, error) from None


def _put(file: Path, kind: str, version: str, found: Iterable[Sequence[Any]]) -> int:
    """Writes the file, whole or not at all."""
    try:
        with replaced(file) as written:
            if kind == "parquet":
                return focus.write_parquet(written, version, found)
            lines = io.TextIOWrapper(written, encoding="utf-8", errors="replace", newline="")
            number = focus.write_csv(lines, version, found)
            lines.detach()  # writes what is left, and leaves the file to its owner
            return number
    except OSError as error:
        raise _unwritable(file, error) from None


def _unwritable(file: Path, error: OSError) -> Misuse:
    return Misuse(f"{file} cannot be written: {error.strerror or error}.")

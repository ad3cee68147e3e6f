"""`tokentrail doctor`: checks everything from the SDKs to ClickHouse, one line per finding."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from tokentrail.cli.errors import Misuse
from tokentrail.cli.stdout import as_json_text, say
from tokentrail.cli.tables import shown
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import DEFAULT_DSN

if TYPE_CHECKING:
    from tokentrail.doctor.finding import Finding

__all__ = ["command"]

_COLOURS: Final = {"ok": "green", "note": "yellow", "wrong": "red"}


@click.command(name="doctor", context_settings={"allow_interspersed_args": False})
@click.option("--dsn", envvar="TOKENTRAIL_CLICKHOUSE_DSN", default=DEFAULT_DSN, show_default=True, metavar="DSN", help="The ledger's ClickHouse.")
@click.option("--only", "sdks", multiple=True, metavar="NAME", help="Import and call only this SDK, as openai; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.argument("application", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ...]")
def command(dsn: str, sdks: tuple[str, ...], as_json: bool, application: tuple[str, ...]) -> None:
    """Check settings, SDKs, other instrumentations, the journal, the Collector's address, the ledger's tables, and called hosts. Changes nothing.

    Run it as the service's user, with the service's variables. With the COMMAND that starts the application, the application's own Python
    interpreter runs the checks, with its packages, and the environment of opentelemetry-instrument. That interpreter ends before the program's first
    line, so what the program sets by tokentrail.configure() is not seen.

    Exit code 1 if something is wrong, 2 if COMMAND starts no Python interpreter that can run the checks.

    \b
    Example:  OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 tokentrail doctor
              tokentrail doctor -- opentelemetry-instrument python app.py
    """
    from tokentrail.doctor.application import CannotAsk, ask_application  # noqa: PLC0415 - what help and completion do not need
    from tokentrail.doctor.clickhouse import check_clickhouse  # noqa: PLC0415 - same
    from tokentrail.doctor.hosts import check_hosts  # noqa: PLC0415 - same
    from tokentrail.doctor.inside import service_checks  # noqa: PLC0415 - same
    from tokentrail.instrumentation.registry import points  # noqa: PLC0415 - same
    from tokentrail.settings import from_environment  # noqa: PLC0415 - same

    for name in sdks:
        if name not in points():
            raise Misuse(f"there is no SDK {name!r}: there are {', '.join(sorted(points()))}")

    def found() -> Iterator[Finding]:
        if application:
            try:
                with working("asking the application's interpreter"):
                    told = ask_application(application, sdks)
            except CannotAsk as error:
                raise Misuse(str(error)) from None
            yield from told
        else:
            yield from service_checks(sdks=sdks)
        tables = list(check_clickhouse(dsn))
        yield from tables
        settings = from_environment(os.environ, lambda _sentence: None)  # errors in the environment were reported above
        yield from check_hosts(settings, None if any(finding.state == "wrong" for finding in tables) else dsn)

    findings: list[Finding] = []
    for finding in found():  # each is printed once it is known: an SDK is imported and called, which takes a second or more for some
        findings.append(finding)
        if not as_json:
            mark = click.style(f"{finding.state:5}", fg=_COLOURS[finding.state])
            click.echo(f"{mark} {shown(finding.what)}: {shown(finding.sentence)}", color=False if os.environ.get("NO_COLOR") else None)
    if as_json:
        say(as_json_text([asdict(finding) for finding in findings], indent=2))
    click.get_current_context().exit(1 if any(finding.state == "wrong" for finding in findings) else 0)

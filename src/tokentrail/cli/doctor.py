"""`tokentrail doctor`: everything from the SDKs to ClickHouse, one line each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict

import click
from rich.console import Console

from tokentrail import settings
from tokentrail.clickhouse.client import DEFAULT_DSN
from tokentrail.doctor.clickhouse import check_clickhouse
from tokentrail.doctor.collector import check_collector
from tokentrail.doctor.finding import Finding
from tokentrail.doctor.hosts import check_hosts
from tokentrail.doctor.journal import check_journal
from tokentrail.doctor.sdks import check_sdks
from tokentrail.doctor.spans import check_spans

__all__ = ["command"]


@click.command(name="doctor")
@click.option("--dsn", envvar="TOKENTRAIL_CLICKHOUSE_DSN", default=DEFAULT_DSN, show_default=True, metavar="DSN", help="The ledger's ClickHouse.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(dsn: str, as_json: bool) -> None:
    """Check settings, SDKs, other instrumentations, the journal, the Collector's address, the ledger's tables, and who answers.

    Changes nothing. Run it as the service's user, with the service's variables. Exit code 1 if something is wrong.

    \b
    Example:  OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 tokentrail doctor
    """
    wrong: list[str] = []
    in_force = settings.from_environment(os.environ, wrong.append)
    findings = [Finding("settings", "wrong", sentence) for sentence in wrong] or [Finding("settings", "ok", "the environment can be read")]
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        check_sdks,
        lambda: check_spans(in_force),
        lambda: check_journal(in_force),
        lambda: check_collector(in_force),
        lambda: check_clickhouse(dsn),
        lambda: check_hosts(in_force, None if any((f.what, f.state) == ("ClickHouse", "wrong") for f in findings) else dsn),
    )
    for check in checks:
        findings += check()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        console = Console()
        marks = {"ok": "[green]ok[/]   ", "note": "[yellow]note[/] ", "wrong": "[red]wrong[/]"}
        for finding in findings:
            console.print(f"{marks[finding.state]} {finding.what}: ", end="", highlight=False)
            console.print(finding.sentence, highlight=False, markup=False, soft_wrap=True)
    click.get_current_context().exit(1 if any(finding.state == "wrong" for finding in findings) else 0)

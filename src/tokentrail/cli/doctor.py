"""`tokentrail doctor`: everything from the SDKs to ClickHouse, one line each."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console

from tokentrail import settings
from tokentrail.clickhouse.client import DEFAULT_DSN, ClickHouseError, connect
from tokentrail.clickhouse.migrate import plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.journal import folder as layout
from tokentrail.journal.exporter import Answer, Exporter, endpoint_of, endpoint_problem

__all__ = ["command"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is `ok`, a `note` (fine, but good to know) or `wrong`, and the sentence."""

    what: str
    state: str
    sentence: str


@click.command(name="doctor")
@click.option("--dsn", envvar="TOKENTRAIL_CLICKHOUSE_DSN", default=DEFAULT_DSN, show_default=True, metavar="DSN", help="The ledger's ClickHouse.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(dsn: str, as_json: bool) -> None:
    """Check settings, SDKs, other instrumentations, the journal, the Collector's address and the ledger's tables. Changes nothing.

    Run it as the service's user, with the service's variables. Exit code 1 if something is wrong.

    \b
    Example:  OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 tokentrail doctor
    """
    wrong: list[str] = []
    in_force = settings.from_environment(os.environ, wrong.append)
    findings = [Finding("settings", "wrong", sentence) for sentence in wrong] or [Finding("settings", "ok", "the environment can be read")]
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _sdks,
        lambda: _spans(in_force),
        lambda: _journal(in_force),
        lambda: _endpoint(in_force),
        lambda: _clickhouse(dsn),
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


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _sdks() -> Iterator[Finding]:
    """Which provider SDKs are there, whether their functions can be patched, and who else patches them."""
    from tokentrail.instrumentation import clashes, instrument, instrumented, providers, uninstrument  # noqa: PLC0415 - loads wrapt

    found = providers()
    versions = {name: _version(provider.package) for name, provider in found.items()}
    instrument()
    for name, provider in sorted(found.items()):
        version = versions[name]
        if version is None:
            yield Finding(name, "note", f"the SDK {provider.package} is not installed")
            continue
        unpatched = [f"{hook.module}:{hook.name}" for hook in provider.hooks if not _imports(hook.module)]
        unpatched = unpatched or [place for place in (f"{hook.module}:{hook.name}" for hook in provider.hooks) if place not in instrumented()[name]]
        if unpatched:
            yield Finding(name, "wrong", f"{provider.package} {version}: {', '.join(unpatched)} cannot be patched, calls through it are not counted")
        else:
            yield Finding(name, "ok", f"{provider.package} {version}: all {len(provider.hooks)} functions are patched")
    uninstrument()
    for name, others in clashes().items():
        yield Finding(
            name,
            "note",
            f"{', '.join(others)} also makes spans and metrics of these calls: the ledger counts once, dashboards over spans may count twice",
        )
    if not any(versions.values()):
        yield Finding("SDKs", "wrong", 'no provider SDK is installed in this environment: pip install "tokentrail[openai]", for example')


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _spans(in_force: settings.Settings) -> Iterator[Finding]:
    if in_force.disabled:
        yield Finding("tokentrail", "note", "TOKENTRAIL_DISABLED is set: nothing is recorded")
    if _version("opentelemetry-sdk") is None:
        yield Finding("spans and metrics", "note", 'no OpenTelemetry SDK is installed: only the ledger is written (pip install "tokentrail[auto]")')
    elif in_force.otel_sdk_disabled:
        yield Finding("spans and metrics", "note", "OTEL_SDK_DISABLED is set: only the ledger is written")
    elif _version("opentelemetry-distro") is None:
        yield Finding("spans and metrics", "note", "opentelemetry-distro is not installed: `opentelemetry-instrument` then sends no spans")
    else:
        yield Finding("spans and metrics", "ok", f"opentelemetry-sdk {_version('opentelemetry-sdk')}")


def _journal(in_force: settings.Settings) -> Iterator[Finding]:
    root = Path(in_force.journal_dir)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as probe:
            probe.write(b"x")
            probe.flush()
        size = layout.size_of(root)
    except OSError as error:
        yield Finding(
            "journal", "wrong", f"{root} cannot be written ({error.strerror}): set TOKENTRAIL_JOURNAL_DIR to a folder on a volume that stays"
        )
        return
    room = in_force.journal_max_bytes - size
    if room < in_force.journal_segment_bytes:
        yield Finding("journal", "wrong", f"{root} holds {size:,} bytes and is at its bound of {in_force.journal_max_bytes:,}: events are refused")
    else:
        writers = len(list(layout.writer_folders(root)))
        yield Finding("journal", "ok", f"{root} can be written; {size:,} bytes of {writers} processes lie there (tokentrail journal status)")


def _endpoint(in_force: settings.Settings) -> Iterator[Finding]:
    problem = endpoint_problem(in_force)
    if problem:
        yield Finding("Collector", "wrong", problem)
        return
    exporter = Exporter(in_force)
    outcome = exporter.send(b"")  # an export request without records
    exporter.close()
    if outcome.answer is Answer.ACCEPTED:
        yield Finding("Collector", "ok", f"{endpoint_of(in_force)} takes OTLP over HTTP")
    else:
        yield Finding("Collector", "wrong", f"{outcome.reason}; events wait in the journal until it answers (a laptop: tokentrail serve)")


def _clickhouse(dsn: str) -> Iterator[Finding]:
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

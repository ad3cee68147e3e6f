"""`tokentrail check`: asks the ledger for what a team wants to hear of, and tells."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import click

from tokentrail.alerts.check import ask, tell
from tokentrail.alerts.conditions import BY_NAME, CONDITIONS, Condition, Finding
from tokentrail.alerts.metrics import exposed
from tokentrail.alerts.runbooks import page
from tokentrail.alerts.targets import TargetError, targets
from tokentrail.alerts.thresholds import Thresholds, read
from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import echo_batches, format_option, print_table
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import say
from tokentrail.toml_files import FileError
from tokentrail.whole_files import replaced
from tokentrail.wording import counted, did_you_mean

__all__ = ["command"]

_COLUMNS = ("condition", "subject", "value", "threshold", "unit", "firing", "detail")


@click.command(name="check")
@click.argument("names", metavar="[CONDITION]...", nargs=-1)
@click.option("--thresholds", "file", type=NamedPath(), envvar="TOKENTRAIL_THRESHOLDS", show_envvar=True, help="Your own thresholds (TOML).")
@click.option("--notify", is_flag=True, help="Tell the targets what is new, and remember it.")
@click.option(
    "--target",
    "given",
    multiple=True,
    metavar="URL",
    envvar="TOKENTRAIL_NOTIFY",
    help="Who is told: an address of apprise, alertmanager://host:9093, or @FILE with one a line; again for more.  [env var: TOKENTRAIL_NOTIFY]",
)
@click.option(
    "--metrics",
    type=NamedPath(dir_okay=False),
    metavar="FILE",
    help="Write what was found as Prometheus's text, for node_exporter's textfile collector or a Pushgateway; replaced whole.",
)
@click.option("--all", "everything", is_flag=True, help="Show every subject that was looked at, and not only what fires.")
@click.option("--list", "listed", is_flag=True, help="List the conditions, and ask nothing.")
@click.option("--runbook", metavar="CONDITION", help="Print the page on a condition: what it means, and what to do.")
@dsn_option
@format_option
def command(
    *,
    names: tuple[str, ...],
    file: Path | None,
    notify: bool,
    given: tuple[str, ...],
    metrics: Path | None,
    everything: bool,
    listed: bool,
    runbook: str | None,
    dsn: str,
    output_format: str,
) -> None:
    """Ask whether anything is wrong: error share, silence, a rise, missing records …; all conditions, or the named ones.

    Exit code 0: nothing fires, 1: something does, or a target was not reached, 2: misuse, or ClickHouse or FILE cannot be written. Each
    condition is a question, tokentrail query condition_NAME. With --notify each target is told once that a condition fires, after its hold,
    and once that it is over; what a target did not take is tried again at the next check. Addresses hold secrets: give them by the variable
    or a file.

    \b
    Example:
        tokentrail check
        TOKENTRAIL_NOTIFY="alertmanager://alerts:9093 slack://…" tokentrail check --notify       every five minutes
        tokentrail check --metrics /var/lib/node_exporter/tokentrail.prom
        tokentrail check --runbook silent_service
    """
    if runbook is not None:
        click.echo(page(_condition(runbook).name), nl=False)
        return
    thresholds = _thresholds(file)
    conditions = [_condition(name) for name in dict.fromkeys(names)] or thresholds.on()
    if listed:
        _list(conditions, thresholds, output_format)
        return
    if notify and not given:
        raise Misuse("--notify has nobody to tell: name an address by TOKENTRAIL_NOTIFY or --target.")
    try:
        told_to = targets(given) if notify else []
    except TargetError as error:
        raise Misuse(f"{error}.") from None
    with opened(dsn) as client:
        asked = ask(client, conditions, thresholds)
        unwritten = "" if metrics is None else _write(metrics, exposed(asked, thresholds, datetime.now(timezone.utc)))
        _show(asked.found if everything else asked.firing, output_format, looked_at=len(asked.answered))
        told = tell(client, asked, thresholds, told_to) if notify else None
    for name, sentence in asked.failed.items():
        say(f"✗ {name} cannot be answered, and stays as it was: {sentence}", err=True)
    if told is not None:
        for sentence in told.failed:
            say(f"✗ {sentence}", err=True)
        say("another check tells at this moment: this one has told nobody" if told.busy else f"{counted(told.sent, 'message')} sent", err=True)
    if unwritten:
        raise Misuse(unwritten)
    sys.exit(1 if asked.firing or asked.failed or (told is not None and told.failed) else 0)


def _condition(name: str) -> Condition:
    if name not in BY_NAME:
        raise Misuse(f"there is no condition {name!r}.{did_you_mean(name, BY_NAME)} There are {', '.join(BY_NAME)}.")
    return BY_NAME[name]


def _thresholds(file: Path | None) -> Thresholds:
    try:
        return Thresholds() if file is None else read(file)
    except FileError as error:
        raise Misuse(f"{error}.") from None


def _write(path: Path, text: str) -> str:
    """Writes the file. Returns why it cannot be written: targets are told all the same."""
    try:
        with replaced(path) as written:
            written.write(text.encode())
    except OSError as error:
        return f"{path} cannot be written: {error.strerror or error}."
    return ""


def _show(found: list[Finding], output_format: str, *, looked_at: int) -> None:
    rows = [[{**asdict(each), "unit": BY_NAME[each.condition].query.unit}[name] for name in _COLUMNS] for each in found]
    if output_format != "table":
        echo_batches(_COLUMNS, [rows], output_format)
        return
    if rows:
        print_table(_COLUMNS, rows)
    firing = sum(each.firing for each in found)
    conditions = counted(looked_at, "condition")
    if firing:
        say(f"✗ {firing} firing, {conditions} looked at; tokentrail check --runbook CONDITION says what to do")
    else:
        say(f"✓ nothing fires, {conditions} looked at")


def _list(conditions: list[Condition], thresholds: Thresholds, output_format: str) -> None:
    columns = ["condition", "question", "severity", "hold", "threshold", "unit"]
    rows = []
    for condition in conditions or CONDITIONS:
        chosen = thresholds.of(condition)
        threshold = condition.query.given(chosen.parameters)[condition.threshold]
        rows.append([condition.name, condition.query.title, chosen.severity, chosen.hold, threshold, condition.query.unit])
    if output_format == "table":
        print_table(columns, rows)
    else:
        echo_batches(columns, [rows], output_format)

"""`tokentrail reconcile`: the ledger beside bills, journals and metrics; what differs, why, and what is decided of it."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from tokentrail.cli.address import dsn_option, opened
from tokentrail.cli.comparison import Asked, comparison_options
from tokentrail.cli.errors import Misuse
from tokentrail.cli.journal import strict_settings
from tokentrail.cli.output import echo_batches, format_option, print_table
from tokentrail.cli.reconciling import once, rounds, show_finding
from tokentrail.cli.stdout import as_json_text, note, say
from tokentrail.cli.suggest import Choice, Group
from tokentrail.clickhouse.client import Client
from tokentrail.importing.run import Sender, StoppedError
from tokentrail.journal.exporter import endpoint_problem
from tokentrail.reconciling.correction import CannotCorrectError, Entry, arrived_entries, described, entry_of, read_entry
from tokentrail.reconciling.states import STATES, Known, State
from tokentrail.reconciling.store import BusyError, decide, history, known_findings
from tokentrail.settings import Settings

__all__ = ["command"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@click.group(name="reconcile", cls=Group, invoke_without_command=True)
@comparison_options
@dsn_option
@click.option("--json", "as_json", is_flag=True, help="Answer one JSON object; with --every one a line.")
@click.pass_context
def command(context: click.Context, /, *, dsn: str, journal: Path | None, every: float | None, as_json: bool, **given: Any) -> None:
    """Compare the ledger with a provider's bill, or, without one, journal, landing table, ledger, sums by day and metrics with one another.

    Each difference is a finding, with an id that is the same in every run, figures, what could explain it, and a state: open, explained, corrected,
    or gone, once it has vanished (late data). Exit code 0: no finding is open, 1: some are, 2: misuse, or a bill cannot be read.

    \b
    Example:
        tokentrail reconcile
        tokentrail reconcile --bill openai-usage --file usage.json
        tokentrail reconcile --bill openai-cost --live --from month --every 1h         as a container's command
        tokentrail reconcile --bill csv --file invoice.csv --mapping invoice.toml --from 2026-11
        tokentrail reconcile explain 8a2280a2777a --why "a laptop of the research team"
        tokentrail reconcile correct 8a2280a2777a --why "the batch job had no tracking"
    """
    if context.invoked_subcommand is not None:
        _refuse_options_before(context)
        return
    asked = Asked(dsn=dsn, journal=journal or Path(strict_settings().journal_dir), **given)
    asked.refuse_misuse()
    if every is None:
        once(asked, as_json=as_json)
    else:
        rounds(asked, every, as_json=as_json)


def _refuse_options_before(context: click.Context) -> None:
    """Raises `Misuse` for options before a subcommand, which would have no effect there."""
    for parameter in context.command.params:
        if parameter.name and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE:
            raise Misuse(f"{parameter.opts[0]} before {context.invoked_subcommand} has no effect: write it after {context.invoked_subcommand}.")


def _decision(function: _Decorated) -> _Decorated:
    """Adds what all decisions take: the finding, who, why, ClickHouse."""
    for option in (
        dsn_option,
        click.option("--who", envvar="TOKENTRAIL_RECONCILE_WHO", default=None, metavar="NAME", help="Who decides so.  [default: this user]"),
        click.option("--why", required=True, metavar="TEXT", help="Why: kept with the finding."),
        click.argument("finding", metavar="ID"),
    ):
        function = option(function)
    return function


def _one(client: Client, text: str) -> Known:
    """Returns the finding that an id, or the beginning of one, names."""
    found = known_findings(client, [text.strip().lower()]) if text.strip() else {}
    if not found:
        raise Misuse(f"there is no finding {text!r}: tokentrail reconcile findings --all lists them.")
    if len(found) > 1:
        raise Misuse(f"{text!r} begins the ids of several findings: {', '.join(sorted(found)[:5])} …: write more of it.")
    return next(iter(found.values()))


def _said(who: str | None, why: str) -> tuple[str, str]:
    """Returns who decides, and why."""
    if not why.strip():
        raise Misuse("--why is empty: say why in a few words, for those who look at it later.")
    try:
        return (who or getpass.getuser()).strip() or "unknown", why.strip()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "unknown", why.strip()


def _decide(client: Client, known: Known, change: Callable[[Known], Known]) -> Known:
    try:
        return decide(client, known, change)
    except BusyError as error:
        raise Misuse(f"{error}.") from None


@command.command()
@_decision
def explain(*, finding: str, why: str, who: str | None, dsn: str) -> None:
    """Say of a finding why it is there: it is explained, until its difference changes.

    \b
    Example:  tokentrail reconcile explain 8a22 --why "a key of the research team, which is billed apart"
    """
    name, reason = _said(who, why)
    with opened(dsn) as client:
        known = _one(client, finding)
        if known.state == "gone":
            raise Misuse(f"finding {known.id} is gone: its difference has vanished, and there is nothing to explain.")
        show_finding(_decide(client, known, lambda now: replace(now, state="explained", who=name, why=reason)))


@command.command()
@_decision
def reopen(*, finding: str, why: str, who: str | None, dsn: str) -> None:
    """Take back that a finding is explained or corrected. An entry in the ledger stays: another correction takes it back.

    \b
    Example:  tokentrail reconcile reopen 8a22 --why "that key has been revoked since"
    """
    name, reason = _said(who, why)
    with opened(dsn) as client:
        known = _one(client, finding)
        if known.state == "open":
            raise Misuse(f"finding {known.id} is open.")
        show_finding(_decide(client, known, lambda now: replace(now, state="open", who=name, why=reason)))


@command.command()
@_decision
@click.option("--tenant", default=None, help="Who pays for what the entry adds.  [default: setting tenant_id]")
@click.option("--dry-run", is_flag=True, help="Only say what the entry would be.")
@click.option("--patience", default=60.0, show_default=True, metavar="SECONDS", help="How long to wait for the Collector.")
def correct(*, finding: str, why: str, who: str | None, dsn: str, tenant: str | None, dry_run: bool, patience: float) -> None:
    """Correct the ledger by a reversing entry, after which it says what the bill states: a record of its own, and never an edit.

    The entry goes through this machine's journal like every record, and its key follows from the finding: what is interrupted is done by the same
    command once more, and counts once. Money is not corrected: costs follow from tokens and prices. Compare once more before you correct.

    Exit code 1 if the Collector did not take the entry: it waits in the journal.

    \b
    Example:  tokentrail reconcile correct 8a22 --why "the nightly batch ran without tracking until 12 November" --tenant search
    """
    name, reason = _said(who, why)
    if not patience > 0:
        raise Misuse(f"--patience is {patience}: seconds above 0.")
    settings = strict_settings()
    if problem := "" if dry_run else "tokentrail is disabled here (TOKENTRAIL_DISABLED)" if settings.disabled else endpoint_problem(settings):
        raise Misuse(f"{problem.rstrip('.')}.")
    with opened(dsn) as client:
        known = _one(client, finding)
        if _is_corrected(client, known):
            note(f"finding {known.id} is corrected, and its entry is in the ledger")
            show_finding(known)
            return
        payer = settings.tenant_id if tenant is None else tenant

        def corrected(now: Known) -> Known:
            if now.state == "corrected":  # by another process, at this moment: its entry is the one
                return now
            if now.is_uncompared:  # taken back before the entry has arrived: it counts as soon as it does, and another one would count, too
                return replace(now, state="corrected", who=name, why=reason)
            entry = entry_of(now.finding, now.version + 1, tenant=payer, why=reason)
            return replace(now, state="corrected", who=name, why=reason, entry=entry.text)

        try:
            after = corrected(known) if dry_run or known.state == "corrected" else _decide(client, known, corrected)
        except CannotCorrectError as error:
            raise Misuse(f"{error}.") from None
        entry = read_entry(after.entry)
        stopped = "" if dry_run else _send(entry, settings, patience)
    show_finding(after)
    say(f"    entry{' (not sent)' if dry_run else ''}: {as_json_text(described(entry))} under {entry.usage.key}")
    if stopped:
        note(f"stopped: {stopped}")
        click.get_current_context().exit(1)


def _is_corrected(client: Client, known: Known) -> bool:
    """Whether a finding's correction is in the ledger. Raises `Misuse` for a finding that is not to be corrected."""
    if known.state == "gone":
        raise Misuse(f"finding {known.id} is gone: its difference has vanished, and there is nothing to correct.")
    is_there = bool(arrived_entries(client, [known]))
    if known.is_uncompared and is_there:
        raise Misuse(f"finding {known.id} was corrected, its entry is in the ledger, and nothing was compared since: compare once more first.")
    return known.state == "corrected" and is_there


def _send(entry: Entry, settings: Settings, patience: float) -> str:
    """Sends an entry through the journal. Returns why it has not arrived, or nothing."""
    changes = {"service_name": entry.service, "environment": entry.environment or settings.environment}
    with ExitStack() as stack:
        sender = Sender(settings.with_(**changes, ship_interval=min(settings.ship_interval, 0.2)), patience)
        stack.callback(sender.close)
        try:
            sender.send(entry.usage, entry.service)
            sender.wait()
        except StoppedError as error:
            return str(error).replace("run the import again, which goes on where it stopped", "correct the finding again, whose entry counts once")
    return ""


@command.command()
@dsn_option
@click.option("--state", "states", multiple=True, type=Choice(STATES), help="Only findings of this state. Several times.  [default: open]")
@click.option("--all", "every", is_flag=True, help="Findings of all states.")
@format_option
def findings(*, dsn: str, states: Sequence[State], every: bool, output_format: str) -> None:
    """List the findings. Exit code 1 if one of them is open.

    \b
    Example:  tokentrail reconcile findings --state explained --state corrected
    """
    wanted = STATES if every else tuple(states) or ("open",)
    with opened(dsn) as client:
        known = sorted(
            (each for each in known_findings(client).values() if each.state in wanted),
            key=lambda each: (STATES.index(each.state), each.finding.place),
        )
    columns = ["id", "state", "source", "place", "differences", "explanation", "who", "why", "at"]
    rows = [_row(each) for each in known]
    if output_format == "table":
        if rows:
            print_table(columns, rows)
        else:
            say(f"no finding is {' or '.join(wanted)}")
    else:
        echo_batches(columns, [rows], output_format)
    click.get_current_context().exit(1 if any(each.state == "open" for each in known) else 0)


def _row(known: Known) -> list[Any]:
    place = known.finding.place
    differences = "; ".join(figure.sentence for figure in known.finding.figures)
    first = next(iter(known.finding.explanations), "")
    return [known.id, known.state, place.source, place.title, differences, first, known.who, known.why, f"{known.at:%Y-%m-%d %H:%M:%S}"]


@command.command()
@dsn_option
@click.argument("finding", metavar="ID")
def show(*, finding: str, dsn: str) -> None:
    """Show a finding with all its states, the first one first.

    \b
    Example:  tokentrail reconcile show 8a22
    """
    with opened(dsn) as client:
        known = _one(client, finding)
        for each in history(client, known.id):
            show_finding(each)
            say(f"    version {each.version}, {each.at:%Y-%m-%d %H:%M:%S} UTC, {each.who}")


@command.command()
@format_option
def sources(*, output_format: str) -> None:
    """List the reports that can be read: what each states, from where, and with which key.

    \b
    Example:  tokentrail reconcile sources --format vertical
    """
    from tokentrail.bills.registry import READERS  # noqa: PLC0415 - all readers, for this list alone

    columns = ["source", "title", "states", "divided by", "files", "live", "where"]
    rows = [
        [
            reader.name,
            reader.title,
            ", ".join(reader.states),
            ", ".join(reader.by),
            ", ".join(reader.files),
            " or ".join(reader.live.variables) if reader.live else "",
            reader.where,
        ]
        for reader in READERS
    ]
    if output_format == "table":
        print_table(columns, rows)
    else:
        echo_batches(columns, [rows], output_format)

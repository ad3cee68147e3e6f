"""`tokentrail journal status` and `tokentrail journal ship`: list and ship waiting records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from tokentrail.addresses import bare
from tokentrail.cli.errors import Misuse
from tokentrail.cli.output import print_table
from tokentrail.cli.stdout import as_json_text, note, say
from tokentrail.cli.suggest import Group
from tokentrail.cli.tables import shown
from tokentrail.cli.working import working
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.aside import Damaged, read_aside
from tokentrail.journal.bulk import bulk_shipper
from tokentrail.journal.exporter import Result, endpoint_of, endpoint_problem, exporter_for
from tokentrail.journal.otlp import log_record, request
from tokentrail.journal.progress import Progress
from tokentrail.journal.records import Header, decode
from tokentrail.journal.sends import Sends
from tokentrail.journal.status import journal_status
from tokentrail.process.signals import Stop
from tokentrail.settings import Settings, from_environment
from tokentrail.wording import counted

__all__ = ["command"]


def strict_settings(**changes: Any) -> Settings:
    """Returns the settings for a command. Raises `Misuse` for an invalid value, which a service only logs."""

    def wrong(sentence: str) -> None:
        raise Misuse(sentence)

    try:
        return from_environment(os.environ, wrong).with_(**{name: value for name, value in changes.items() if value})
    except (ValueError, TypeError) as error:
        raise Misuse(str(error)) from None


def _folder(given: str | None, *, may_come: bool = False) -> Path:
    root = Path(strict_settings(journal_dir=given).journal_dir)
    if given and not root.is_dir() and not (may_come and root.parent.is_dir()):
        raise Misuse(f"{root} is no folder: give the one that the service writes to (setting journal_dir).")
    if root.exists() and not (root.is_dir() and os.access(root, os.R_OK | os.W_OK | os.X_OK)):
        raise Misuse(f"{root} cannot be read and written by this user: run the command as the service's user.")
    return root


_dir_option = click.option("--dir", "directory", type=click.Path(), metavar="DIR", help="The journal's folder. [default: setting journal_dir]")


@click.group(name="journal", cls=Group)
def command() -> None:
    """List and ship the records that wait on this machine's disk.

    \b
    Example:  tokentrail journal status
              tokentrail journal ship --watch       as a daemon or sidecar
    """


@command.command()
@_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def status(directory: str | None, as_json: bool) -> None:
    """List the writers and their waiting records.

    Exit code 1 if records are missing, refused or put aside, or if the file system has no locks; 2 if the journal is damaged (torn bytes are
    skipped, the records around them are whole).

    \b
    Example:  tokentrail journal status --json
    """
    root = _folder(directory)
    try:
        found = journal_status(root)
    except OSError as error:
        raise Misuse(_no_rights(root, error)) from None
    if as_json:
        say(as_json_text(found, indent=2))
    else:
        _print_status(found)
    damaged = [
        f"{counted(writer['damaged_bytes'], 'byte')} of writer {writer['writer_id']}" for writer in found["writers"] if writer["damaged_bytes"]
    ]
    damaged += [kept["file"] for kept in found["aside"] if kept["damaged"]]
    if damaged:
        raise Misuse(f"the journal {root} is damaged: {', '.join(damaged)} cannot be read and are skipped; look at this disk.")
    wrong = bool(found["aside"]) or not found["locks"] or any(writer["missing"] or writer["unreported"] for writer in found["writers"])
    click.get_current_context().exit(1 if wrong else 0)


def _print_status(found: dict[str, Any]) -> None:
    say(f"{found['folder']}: {counted(found['size_bytes'], 'byte')}")
    if found["writers"]:
        headings = ["writer", "service", "pid", "state", "records", "waiting", "bytes", "last append", "wrong"]
        rows = [_row(writer) for writer in found["writers"]]
        kept = [at for at, name in enumerate(headings) if name != "wrong" or any(row[at] for row in rows)]
        print_table([headings[at] for at in kept], [[row[at] for at in kept] for row in rows], counts=["records", "waiting", "bytes"])
    else:
        say("Nothing waits.")
    if not found["locks"]:
        say(f"The file system of {found['folder']} has no locks: {_NO_LOCKS}")
    for kept_aside in found["aside"]:
        say(f"put aside: {shown(kept_aside['file'])}: {shown(kept_aside['reason'])}")


def _row(writer: dict[str, Any]) -> list[Any]:
    wrong = [counted(writer["damaged_bytes"], "torn byte")] if writer["damaged_bytes"] else []
    for what, word in (("missing", "missing"), ("unreported", "refused")):
        wrong += [f"{word} {low}-{high}" if high > low else f"{word} {low}" for low, high in writer[what]]
    texts = [writer["writer_id"], writer["service_name"], str(writer["pid"] or ""), writer["state"]]
    return [*texts, writer["records"], writer["waiting"], writer["size_bytes"], f"{writer['age_seconds']:.0f} s ago", ", ".join(wrong)]


_NO_LOCKS = (
    "nobody can see which writers live, and no process adopts what others left. Once no service writes there, send it with "
    "tokentrail journal ship --without-locks."
)


def _no_rights(root: Path, error: OSError) -> str:
    return f"the journal {root} cannot be read and written: {error}. Run the command as the service's user."


@command.command()
@_dir_option
@click.option("--endpoint", metavar="URL", help="OTLP address for logs. [default: TOKENTRAIL_ENDPOINT, OTEL_EXPORTER_OTLP_*, localhost:4318]")
@click.option("--watch", is_flag=True, help="Go on for ever, for living writers too (their setting ship=false).")
@click.option("--interval", default=1.0, show_default=True, metavar="SECONDS", help="With --watch: between two looks.")
@click.option("--aside", is_flag=True, help="Try again the records that were put aside.")
@click.option("--without-locks", is_flag=True, help="Send journals on a file system without locks. Only while no service writes there.")
def ship(directory: str | None, endpoint: str | None, watch: bool, interval: float, aside: bool, without_locks: bool) -> None:
    """Send the waiting records: the journals of dead processes, and with --watch those of living processes that do not ship.

    Exit code 1 if something still waits at the end, 2 if a part of the journal is damaged (all the rest is sent). --watch ends at SIGTERM or
    Ctrl-C, after the requests under way.

    \b
    Example:  tokentrail journal ship --endpoint http://localhost:4318/v1/logs
    """
    settings = strict_settings(endpoint=endpoint)
    root = _folder(directory, may_come=watch)
    _refuse_misuse(settings, watch=watch, without_locks=without_locks, interval=interval)
    printed: list[str] = []

    def complain(sentence: str) -> None:
        printed.append(sentence)
        note(sentence)

    stop = Stop()
    ships = bulk_shipper(root, settings, wait=lambda seconds, _asked: stop.wait(seconds), stopped=lambda: stop.asked, complain=complain)
    with stop, ships as shipper:
        adopter = Adopter(shipper, name="journal ship", without_locks=without_locks)
        if watch:
            with stop.on_signals():
                _watch(adopter, stop, interval)
            return
        try:
            with working("sending records", lambda: f"{shipper.shipped:,} sent"):
                progress = adopter.adopt_dead(patient=False)
                retried, refused, damaged = _ship_aside(root, exporter_for(settings)) if aside else (0, 0, [])
        except KeyboardInterrupt:
            say(f"interrupted: {counted(shipper.shipped, 'record')} sent, the rest waits in {root}", err=True)
            raise
        except OSError as error:
            raise Misuse(_no_rights(root, error)) from None
    journals = counted(progress.adopted, "journal of an ended process", "journals of ended processes")
    say(f"{counted(progress.shipped + retried, 'record')} sent to {bare(endpoint_of(settings))}, {journals}")
    if progress.aside:
        say(f"{counted(progress.aside, 'record was', 'records were')} refused for good and put aside in {root / 'aside'}", err=True)
    if not progress.done:
        say("the rest waits" if progress.reason in printed else f"the rest waits: {progress.reason}", err=True)
    if shipper.damaged_bytes:
        damaged.append(counted(shipper.damaged_bytes, "byte"))
    if damaged:
        raise Misuse(f"the journal {root} is damaged: {', '.join(damaged)} could not be read and were skipped; look at this disk.")
    if progress.damaged:
        raise Misuse(f"the journal {root} is damaged: records are gone from it, and tokentrail verify names their numbers; look at this disk.")
    click.get_current_context().exit(0 if progress.done and not refused and not progress.aside else 1)


def _refuse_misuse(settings: Settings, *, watch: bool, without_locks: bool, interval: float) -> None:
    problem = endpoint_problem(settings)
    if problem:
        raise Misuse(problem)
    if watch and without_locks:
        raise Misuse("--without-locks says that no service writes to the journal, and --watch that some do: give one of them.")
    if not interval > 0:
        raise Misuse(f"--interval is {interval}: seconds above 0.")


def _watch(adopter: Adopter, stop: Stop, interval: float) -> None:
    while not stop.asked:
        progress = Progress()
        for work in (adopter.adopt_dead, adopter.ship_living):
            try:
                progress.add(work())
            except OSError as error:  # an error of the folder itself: a daemon survives temporary errors of its volume
                say(f"waiting: {error}", err=True)
        if progress.shipped:
            say(f"{counted(progress.shipped, 'record')} sent")
        stop.wait(interval)


def _ship_aside(root: Path, exporter: Sends) -> tuple[int, int, list[str]]:
    """Sends the records that were put aside, one by one. Returns how many were accepted, how many stay, and the files that cannot be read."""
    sent = stay = 0
    damaged: list[str] = []
    for kept in read_aside(root):
        if isinstance(kept, Damaged):
            reason = f"the file is damaged: {kept.reason}"
            damaged.append(str(kept.path))
        else:
            try:
                record, payload = decode(kept.payload)
                body = b"" if isinstance(record, Header) else log_record(record, payload, kept.number, kept.header.writer_id)
            except msgspec.MsgspecError as error:
                reason = f"the record is damaged: {error}"
                damaged.append(str(kept.path))
            else:
                outcome = exporter.send(request(kept.header, [body]))
                if outcome.result is Result.ACCEPTED:
                    kept.path.unlink(missing_ok=True)
                    sent += 1
                    continue
                reason = outcome.reason
        stay += 1
        say(f"{kept.path}: {reason}", err=True)
    return sent, stay, damaged

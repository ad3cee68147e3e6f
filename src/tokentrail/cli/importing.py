"""What all imports have in common on the command line: their options, where what is read goes, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, TypeVar

import click

from tokentrail.cli.address import opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.journal import strict_settings
from tokentrail.cli.stdout import as_json_text, note, say
from tokentrail.cli.working import working
from tokentrail.clickhouse.client import DEFAULT_DSN, ClickHouseError
from tokentrail.importing.run import Done, Row, Sender, StoppedError, run
from tokentrail.importing.selection import Selection
from tokentrail.journal.exporter import endpoint_problem
from tokentrail.ledger.times import parse_time, parse_zone
from tokentrail.toml_files import FileError
from tokentrail.wording import counted

__all__ = ["Importing", "import_options"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def import_options(function: _Decorated) -> _Decorated:
    """Adds the options that all imports have, and gives them as one `Importing`."""

    @wraps(function)
    def wrapped(**given: Any) -> Any:
        names = ("dry_run", "ledger", "without_ledger", "as_json", "patience")
        return function(importing=Importing(**{name: given.pop(name) for name in names}, selection=_selection(given)), **given)

    for option in reversed(
        (
            click.option("--dry-run", is_flag=True, help="Only say what would be taken."),
            click.option("--from", "since", metavar="TIME", help="Only calls from this time on: 2026-11-01, 7d, month …"),
            click.option("--to", "until", metavar="TIME", help="Only calls before this time: the day on which tokentrail began to count."),
            click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="The zone of times that state none."),
            click.option("--tenant", default="", help="The tenant of calls that state none."),
            click.option("--operation", default="", help="The operation of calls, in place of the one that follows from the kind of call."),
            click.option("--service", default="", help="The service that made the calls, where they do not say."),
            click.option(
                "--provider",
                "providers",
                multiple=True,
                metavar="[PATTERN=]NAME",
                help="Who answered, where a call does not say: NAME, or NAME for models like PATTERN ('claude-*=anthropic'). Several times.",
            ),
            click.option(
                "--ledger",
                envvar="TOKENTRAIL_CLICKHOUSE_DSN",
                default=DEFAULT_DSN,
                show_default=True,
                show_envvar=True,
                help="ClickHouse, which is asked what it has already.",
            ),
            click.option("--without-ledger", is_flag=True, help="Do not ask the ledger: send everything. What it has counts once anyway."),
            click.option(
                "--patience", default=60.0, show_default=True, metavar="SECONDS", help="How long to wait for the Collector before stopping."
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON for programs."),
        )
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # the same options, gathered


def _selection(given: dict[str, Any]) -> Selection:
    try:
        zone = parse_zone(given["timezone"])
        since, until = (parse_time(text, zone) if text else None for text in (given.pop("since"), given.pop("until")))
        if since and until and since >= until:
            raise Misuse("--from is not before --to: the range is empty (--to is excluded).")
        return Selection.of(
            since=since,
            until=until,
            zone=zone,
            zone_name=given.pop("timezone"),
            tenant=given.pop("tenant"),
            operation=given.pop("operation"),
            service=given.pop("service"),
            providers=given.pop("providers"),
        )
    except ValueError as error:
        raise Misuse(f"{str(error).rstrip('.')}.") from None


class Importing:
    """One import: where what is read goes, and what is said of it."""

    def __init__(self, *, dry_run: bool, ledger: str, without_ledger: bool, as_json: bool, patience: float, selection: Selection) -> None:
        if not patience > 0:
            raise Misuse(f"--patience is {patience}: seconds above 0.")
        self.selection = selection
        self._dry_run = dry_run
        self._ledger = ledger
        self._without_ledger = without_ledger
        self._as_json = as_json
        self._patience = patience

    @contextmanager
    def sentences(self) -> Iterator[None]:
        """Raises `Misuse` in place of a `FileError`."""
        try:
            yield
        except FileError as error:
            raise Misuse(f"{str(error).rstrip('.')}.") from None

    def check(self, read: Callable[[], Iterable[Any]]) -> None:
        """Reads a file to its end before the first record is sent: a file that is cut off changes nothing."""
        number = 0
        with self.sentences(), working("reading", lambda: f"{number:,} records"):
            for _row in read():
                number += 1

    def take(self, source: str, service: str, rows: Callable[[], Iterator[Row]]) -> None:
        """Imports the rows, and says what came of it. `service`: the usual service of the source."""
        settings = strict_settings()
        problem = "" if self._dry_run else "tokentrail is disabled here (TOKENTRAIL_DISABLED)" if settings.disabled else endpoint_problem(settings)
        if problem:
            raise Misuse(f"{problem.rstrip('.')}.")
        usual = self.selection.service or settings.service_name or service
        done, stopped = Done(), ""
        with ExitStack() as stack:
            ledger = None if self._without_ledger else stack.enter_context(opened(self._ledger))
            sender = None
            if not self._dry_run:
                sender = Sender(settings.with_(service_name=usual, ship_interval=min(settings.ship_interval, 0.2)), self._patience)
                stack.callback(sender.close)
            try:
                with working(f"importing from {source}", lambda: f"{done.read:,} read, {done.new:,} new"):
                    run(self.selection.chosen(rows()), done, ledger=ledger, sender=sender)
            except StoppedError as error:
                stopped = str(error)
            except (FileError, ClickHouseError) as error:
                if sender is None or not done.new:
                    raise Misuse(f"{str(error).rstrip('.')}.") from None
                stopped = f"{str(error).rstrip('.')}; run the import again, which goes on where it stopped"
            except KeyboardInterrupt:
                note(f"interrupted after {counted(done.read, 'record')}: what was taken arrives, and the next run takes the rest")
                raise
        self._say(source, done, stopped)

    def _say(self, source: str, done: Done, stopped: str) -> None:
        if self._as_json:
            say(as_json_text({"source": source, "dry_run": self._dry_run, "stopped": stopped, **done.as_dict()}, indent=2))
        else:
            for line in _lines(source, done, dry_run=self._dry_run, asked=not self._without_ledger):
                say(line)
        if stopped:
            note(f"stopped: {stopped}")
        click.get_current_context().exit(1 if stopped or done.faults else 0)


def _lines(source: str, done: Done, *, dry_run: bool, asked: bool) -> Iterator[str]:
    yield f"{source}: {counted(done.read, 'record')} read"
    width = max(len(f"{number:,}") for number in (done.read, done.taken, 1))
    would = "would be taken" if dry_run else "taken"
    yield f"{done.taken:>{width},}  {would}"
    new = f"{'would be new' if dry_run else 'new'}, with {done.input_tokens:,} input and {done.output_tokens:,} output tokens"
    yield f"{done.new:>{width + 2},}  {new}" + ("" if asked else "; the ledger was not asked what it has already")
    if done.had:
        yield f"{done.had:>{width + 2},}  in the ledger already"
    if done.differing:
        yield f"{done.differing:>{width + 2},}  in the ledger with other counts: the better source counts; tokentrail verify lists what contradicts"
    for sentence, number in done.notes.most_common():
        yield f"{number:>{width + 2},}  {sentence}"
    if done.left:
        yield f"{done.left:>{width},}  not taken"
    for reason, number in [*done.reasons.most_common(), *(("a record of this file or table once more", done.repeated),) * bool(done.repeated)]:
        yield f"{number:>{width + 2},}  {reason}"
    for reason, number in done.faults.most_common():
        yield f"{number:>{width + 2},}  malformed: {reason}"
    if done.unsent:
        yield f"{done.unsent:>{width},}  not sent, since the import stopped"

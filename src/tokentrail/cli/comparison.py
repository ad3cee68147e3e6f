"""What `tokentrail reconcile` compares: its options, the range of days, the reports that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tokentrail.bills.errors import BillError
from tokentrail.bills.mapping import mapping_with, read_mapping
from tokentrail.bills.registry import read_file, read_live, reader_named, refuse_live
from tokentrail.bills.report import Report
from tokentrail.cli.errors import Misuse
from tokentrail.cli.every import every_option
from tokentrail.cli.paths import NamedPath
from tokentrail.ledger.dimensions import parse_where
from tokentrail.ledger.times import end_of, parse_time
from tokentrail.reconciling.cells import Range, whole_days
from tokentrail.reconciling.counted import HOLDERS, holds
from tokentrail.reconciling.tolerance import DEFAULT, Tolerance, parse

__all__ = ["Asked", "comparison_options"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_LIVE_DAYS: Final = "7d"
_A_MONTH: Final = timedelta(days=32)


def _tolerance(_context: click.Context, _parameter: click.Parameter, value: str) -> Tolerance:
    try:
        return parse(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


def _holder(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and not holds(value):
        raise click.BadParameter(f"{value!r} cannot hold it: use one of {', '.join(HOLDERS)}.")
    return value


def _pairs(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        bill, equals, ledger = value.partition("=")
        if not equals or not bill or not ledger:
            raise click.BadParameter(f"{value!r} is not BILL=LEDGER: the bill's name, and the ledger's.")
        if ledger in pairs.values():
            raise click.BadParameter(f"{ledger!r} is the ledger's name of two of the bill's.")
        pairs[bill] = ledger
    return pairs


def _filters(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> list[str]:
    try:
        return [parse_where(value) for value in values]
    except ValueError as error:
        raise click.BadParameter(f"{str(error).rstrip('.')}.") from None


def comparison_options(function: _Decorated) -> _Decorated:
    """Adds the options of a comparison."""
    for option in reversed(
        (
            click.option("--bill", "source", metavar="SOURCE", help="Compare with this report of a provider: tokentrail reconcile sources."),
            click.option("--file", "files", multiple=True, type=NamedPath(), metavar="FILE", help="The report, saved. Several times for more."),
            click.option("--live", is_flag=True, help="Ask the provider for the report, with an administrator's key in the environment."),
            click.option("--url", metavar="URL", default="", help="The API's address, such as a gateway's.  [default: the provider's]"),
            click.option("--mapping", type=NamedPath(), metavar="FILE", help="Which column is which field, for --bill csv (TOML)."),
            click.option("--map", "words", multiple=True, metavar="FIELD=COLUMN", help="One field of that mapping. Several times."),
            click.option(
                "--from", "since", metavar="TIME", help=f"From this day on: 2026-11-01, 2026-11, month, 7d …  [default: all; live: {_LIVE_DAYS}]"
            ),
            click.option(
                "--to",
                "until",
                metavar="TIME",
                help="Up to this day, itself excluded.  [default: today, in UTC; of a file its last day that is over]",
            ),
            click.option(
                "--tolerance",
                envvar="TOKENTRAIL_RECONCILE_TOLERANCE",
                default=DEFAULT,
                show_default=True,
                show_envvar=True,
                callback=_tolerance,
                help="How far figures may lie apart: 0.1%, 100 (tokens), 0.01USD; whichever allows more.",
            ),
            click.option(
                "--project-in",
                envvar="TOKENTRAIL_RECONCILE_PROJECT_IN",
                show_envvar=True,
                default="",
                callback=_holder,
                metavar="DIMENSION",
                help=f"What holds the bill's project in the ledger: {', '.join(HOLDERS)}.",
            ),
            click.option(
                "--key-in",
                envvar="TOKENTRAIL_RECONCILE_KEY_IN",
                show_envvar=True,
                default="",
                callback=_holder,
                metavar="DIMENSION",
                help="What holds the bill's key in the ledger.",
            ),
            click.option(
                "--same",
                "names",
                multiple=True,
                envvar="TOKENTRAIL_RECONCILE_SAME",
                callback=_pairs,
                metavar="BILL=LEDGER",
                help="One project or key under two names. Several times.",
            ),
            click.option(
                "--where",
                multiple=True,
                callback=_filters,
                metavar="NAME=VALUE",
                help="Only the usages of the ledger that the bill is about. Several times.",
            ),
            click.option("--journal", type=NamedPath(), metavar="DIR", help="The journal's folder.  [default: setting journal_dir]"),
            every_option,
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared. Times are as given, since `7d` is another day in each round."""

    dsn: str
    source: str | None
    files: Sequence[Path]
    live: bool
    url: str
    mapping: Path | None
    words: Sequence[str]
    since: str | None
    until: str | None
    tolerance: Tolerance
    project_in: str
    key_in: str
    names: Mapping[str, str]
    where: Sequence[str]
    journal: Path

    def refuse_misuse(self) -> None:
        """Raises `Misuse` for options that do not fit one another."""
        try:
            self._refuse()
        except BillError as error:
            raise Misuse(f"{str(error).rstrip('.')}.") from None

    def _refuse(self) -> None:
        if self.source is None and (self.files or self.live or self.mapping or self.words):
            raise Misuse("--file, --live, --mapping and --map read a bill: say whose by --bill (tokentrail reconcile sources).")
        if self.url and not self.live:
            raise Misuse("--url is the address of an API: give --live with it.")
        if self.source is not None and bool(self.files) == self.live:
            raise Misuse("give --file for a saved report, or --live to ask the provider: one of them.")
        if self.source is not None:
            reader_named(self.source)
            if self.live:
                refuse_live(self.source, self.url)
        for file in self.files:
            if not file.is_file():
                raise Misuse(f"there is no file {file}.")
        now = datetime.now(timezone.utc)
        if self.range(now).is_empty and self.range(now + _A_MONTH).is_empty:  # on the first of a month `--from month` has no day that is over
            raise Misuse("the range has no whole day (UTC): --from is not a day before --to (--to is excluded).")

    def range(self, now: datetime) -> Range:
        """Returns the days of a round. Raises `Misuse` for what is no time."""
        since = self.since or (_LIVE_DAYS if self.live else None)
        try:
            first = None if since is None else _moment(parse_time(since, now=now))
            end = None if since is None else end_of(since)
            today = _moment(parse_time("today", now=now))
            last = _moment(parse_time(self.until, now=now)) if self.until else min(today, _moment(end)) if end else today
        except ValueError as error:
            raise Misuse(f"{str(error).rstrip('.')}.") from None
        as_stated = not (self.live or self.until or end)
        return replace(whole_days(first, last), as_stated=as_stated, over=None if self.until else now)

    def report(self, wanted: Range) -> list[Report]:
        """Reads the bill. Raises `BillError`."""
        name = self.source or ""
        if self.live:
            if wanted.since is None or wanted.until is None:
                raise AssertionError("a live read has a range")
            return [read_live(name, wanted.since, wanted.until, url=self.url)]
        mapping = mapping_with(self.words, read_mapping(self.mapping) if self.mapping else None) if self.mapping or self.words else None
        return [read_file(name, *self.files, since=wanted.since, until=wanted.until, mapping=mapping)]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")

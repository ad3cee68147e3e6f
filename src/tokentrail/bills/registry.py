"""All reports that can be read, by name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tokentrail.bills import anthropic, focus, openai, openrouter, table
from tokentrail.bills.access import Access, Patience, key_of
from tokentrail.bills.errors import BillError
from tokentrail.bills.line import BillLine
from tokentrail.bills.mapping import BillMapping
from tokentrail.bills.reader import Live, Reader
from tokentrail.bills.report import Notes, Report, Window
from tokentrail.wording import did_you_mean

__all__ = ["READERS", "read_file", "read_live", "reader_named", "refuse_live"]

READERS: Final[tuple[Reader, ...]] = (*openai.READERS, *anthropic.READERS, *openrouter.READERS, *focus.READERS, *table.READERS)
"""The order of lists."""


def reader_named(name: str) -> Reader:
    """Returns a reader. Raises `BillError` for a name that none has."""
    found = next((each for each in READERS if each.name == name), None)
    if found is None:
        names = [each.name for each in READERS]
        raise BillError(f"{name!r} is no report that can be read.{did_you_mean(name, names)} There are {', '.join(names)}")
    return found


def read_file(name: str, *paths: Path, since: datetime | None = None, until: datetime | None = None, mapping: BillMapping | None = None) -> Report:
    """Reads a saved report, of one file or of several that belong together: its pages, its days, its parts.

    Lines whose interval lies outside `since` (included) and `until` (excluded) are left out. What two of the files have alike is read once.

    The lines are read as they are taken, so `BillError` for a file that is none is raised there, too. Raises `BillError` for an unknown name.
    """
    reader = reader_named(name)
    if not paths:
        raise BillError(f"{name} is read from files, of which none is named")
    given = mapping or BillMapping()
    if not given.says_nothing and not reader.mapped:
        raise BillError(f"{name} has columns of its own and takes no mapping: use csv for a table of another form")
    notes = Notes()
    return Report(name, _within(reader.from_files(paths, notes, given), since, until), notes)


def read_live(
    name: str,
    since: datetime,
    until: datetime,
    *,
    bucket: str = "",
    url: str = "",
    environment: Mapping[str, str] = os.environ,
    patience: Patience | None = None,
    now: datetime | None = None,
) -> Report:
    """Reads a report from the provider's API, with the key that an environment variable holds; `url` takes the place of the API's address.

    The lines are read as they are taken, page by page. Raises `BillError` for a report without an API, a key that is not set and a wrong time.
    """
    live = _live_of(reader_named(name), since, until, bucket)
    moment = now or datetime.now(timezone.utc)
    access = _access_to(live, url, environment, patience)
    notes = Notes()
    window = Window(since.astimezone(timezone.utc), until.astimezone(timezone.utc), bucket or live.buckets[0])
    return Report(name, _closing(access, live.read(access, window, notes)), notes, _complete_until(live, window, moment))


def refuse_live(name: str, url: str = "", environment: Mapping[str, str] = os.environ) -> None:
    """Raises `BillError` where no live read can succeed: a report without an API, a key that is not set, an address to which no key is sent."""
    _access_to(_api_of(reader_named(name)), url, environment)


def _access_to(live: Live, url: str, environment: Mapping[str, str], patience: Patience | None = None) -> Access:
    variable, key = key_of(live.variables, live.key, environment)
    return Access(url or live.url, live.headers(key), variable, patience)


def _api_of(reader: Reader) -> Live:
    if reader.live is None:
        raise BillError(f"{reader.name} is read from a file only: {reader.where}")
    return reader.live


def _live_of(reader: Reader, since: datetime, until: datetime, bucket: str) -> Live:
    live = _api_of(reader)
    if since.tzinfo is None or until.tzinfo is None:
        raise BillError("the times of a report need a time zone")
    if until <= since:
        raise BillError("the time that is asked for ends before it starts")
    if bucket and bucket not in live.buckets:
        raise BillError(f"{reader.name} has intervals of {', '.join(live.buckets)}, not {bucket}")
    return live


def _closing(access: Access, lines: Iterator[BillLine]) -> Iterator[BillLine]:
    with access:
        yield from lines


def _complete_until(live: Live, window: Window, now: datetime) -> datetime | None:
    """Returns the end of the last interval whose figures do not grow any more; None where the provider does not say when that is."""
    if live.settles is None:
        return None
    settled = (now - live.settles).astimezone(timezone.utc)
    if live.whole_days:
        settled = settled.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(window.until, settled)


def _within(lines: Iterator[BillLine], since: datetime | None, until: datetime | None) -> Iterator[BillLine]:
    for line in lines:
        if (since is None or line.ends > since) and (until is None or line.starts < until):
            yield line

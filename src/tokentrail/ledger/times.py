"""Moments as people write them: dates, times, and words that depend on the present."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from tokentrail.wording import did_you_mean

__all__ = ["end_of", "parse_time", "parse_zone", "period_before"]

_AGO: Final = re.compile(r"(\d{1,6})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PART: Final = re.compile(r"(\d{4})(?:-(\d{2}))?")
_DAYS: Final[dict[str, Callable[[date], date]]] = {
    "today": lambda today: today,
    "yesterday": lambda today: today - timedelta(days=1),
    "week": lambda today: today - timedelta(days=today.weekday()),
    "month": lambda today: today.replace(day=1),
    "year": lambda today: today.replace(month=1, day=1),
}
_HELP: Final = "Write 2026-11-01, 2026-11-01T12:30:00Z, 2026-11, today, yesterday, week, month, year, now, or 30m, 24h, 7d, 2w for so long ago"
_FORMAT: Final = "%Y-%m-%d %H:%M:%S.%f"
_YEARS: Final = range(1900, 2262)
"""The range of DateTime64(9)."""


def parse_zone(name: str) -> tzinfo:
    """Returns the zone of a name such as Europe/Madrid. Raises `ValueError` for an unknown one."""
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write UTC or a name such as Europe/Madrid") from None


def parse_time(text: str, zone: tzinfo = timezone.utc, *, now: datetime | None = None) -> str:
    """Converts a moment to ClickHouse's notation, in UTC.

    | text | moment |
    |---|---|
    | `2026-11-01`, `2026-11`, `2026` | the beginning of the day, month or year in `zone` |
    | `2026-11-01T12:30:00Z`, `2026-11-01 14:30+02:00` | this time; without an offset, in `zone` |
    | `today`, `yesterday`, `week`, `month`, `year` | the beginning of the day, of the week (Monday), … in `zone` |
    | `now`; `30m`, `24h`, `7d`, `2w` | the present moment; so long before |

    Raises `ValueError` for anything else, with these forms.
    """
    moment = _moment(text.strip(), zone, (now or datetime.now(timezone.utc)).astimezone(zone))
    if moment is None:
        raise ValueError(f"{text.strip()!r} is not a time.{did_you_mean(text.strip(), [*_DAYS, 'now'])} {_HELP}")
    try:
        moment = moment.astimezone(timezone.utc)
    except OverflowError:
        moment = moment.replace(tzinfo=timezone.utc)
    if moment.year not in _YEARS:
        raise ValueError(f"{text.strip()!r} is not between the years 1900 and 2261")
    return _written(moment)


def end_of(text: str, zone: tzinfo = timezone.utc) -> str | None:
    """Returns the end of the month or year that a text names (`2026-11`, `2026`), as `parse_time` does; None for a text that names a moment.

    A range that begins with a month or a year, and has no end of its own, is this month or year: whoever writes `from 2026-11` asks for November.
    """
    part = _PART.fullmatch(text.strip())
    if part is None:
        return None
    after = f"{int(part[1]) + 1:04}" if part[2] in (None, "12") else f"{part[1]}-{int(part[2]) + 1:02}"
    try:
        return parse_time(after, zone)
    except ValueError:  # the last year that can be stored, or no month at all, which `parse_time` refuses by itself
        return None


def period_before(start: str, end: str | None, zone: tzinfo = timezone.utc, *, now: datetime | None = None) -> tuple[str, str, str]:
    """Returns the bounds of the period before one that `parse_time` has read, and the end of this one: a period that lasts ends now.

    | period, in `zone` | compared with |
    |---|---|
    | from the first of a month, up to a month | the month before, from its first up to the same day and time |
    | whole months | as many months before |
    | from midnight | as many days before, up to the same time of day |
    | anything else | the same duration before |
    """
    now = now or datetime.now(timezone.utc)
    first = _read(start)
    last = min(_read(end), now) if end is not None and _read(end) > first else now
    begins, ends = first.astimezone(zone), last.astimezone(zone)
    midnight = begins.time() == datetime.min.time()
    months = (ends.year - begins.year) * 12 + ends.month - begins.month
    if midnight and begins.day == 1 and ends.day == 1 and ends.time() == datetime.min.time() and months:
        earlier = (_months_before(begins, months), begins)
    elif midnight and begins.day == 1 and months == 0:
        month = _months_before(begins, 1)
        earlier = (month, min(month + (ends.replace(tzinfo=None) - begins.replace(tzinfo=None)), begins))
    elif midnight and begins < ends:
        passed = ends.replace(tzinfo=None) - begins.replace(tzinfo=None)
        days = timedelta(days=-(-passed // timedelta(days=1)))
        earlier = (begins - days, ends - days)
    else:
        earlier = (first - (last - first), first)
    return _written(earlier[0].astimezone(timezone.utc)), _written(earlier[1].astimezone(timezone.utc)), _written(last)


def _months_before(first: datetime, months: int) -> datetime:
    year, month = divmod(first.year * 12 + first.month - 1 - months, 12)
    return first.replace(year=year, month=month + 1)


def _read(written: str) -> datetime:
    return datetime.strptime(written, _FORMAT).replace(tzinfo=timezone.utc)


def _written(moment: datetime) -> str:
    return moment.strftime(_FORMAT)


def _moment(text: str, zone: tzinfo, now: datetime) -> datetime | None:
    """Returns the moment of a text; None for a text that is none."""
    if text == "now":
        return now
    try:
        if text in _DAYS:
            return datetime.combine(_DAYS[text](now.date()), datetime.min.time(), zone)
        if ago := _AGO.fullmatch(text):
            return now.astimezone(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if part := _PART.fullmatch(text):
            return datetime(int(part[1]), int(part[2] or 1), 1, tzinfo=zone)
        if len(text) == len("2026-11-01"):
            return datetime.combine(date.fromisoformat(text), datetime.min.time(), zone)
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" and text else text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment

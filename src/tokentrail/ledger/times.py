"""Moments as people write them: dates, times, and words that depend on the present."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["parse_time", "parse_zone"]

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
_HELP: Final = "write 2026-11-01, 2026-11-01T12:30:00Z, 2026-11, today, yesterday, week, month, year, now, or 30m, 24h, 7d, 2w for so long ago"
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
        raise ValueError(f"{text.strip()!r} is not a time: {_HELP}")
    try:
        moment = moment.astimezone(timezone.utc)
    except OverflowError:
        moment = moment.replace(tzinfo=timezone.utc)
    if moment.year not in _YEARS:
        raise ValueError(f"{text.strip()!r} is not between the years 1900 and 2261")
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


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

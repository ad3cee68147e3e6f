"""The option `--every`: a command that goes on by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import click

__all__ = ["every_option"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
_EVERY: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    match = _EVERY.fullmatch(value.strip())
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{value!r} is no interval: write 30m, 1h or 1d.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()


def every_option(function: _Decorated) -> _Decorated:
    """Gives a command the parameter `every`: seconds, or None for once."""
    text = "Do it again and again, after so long: 30m, 1h, 1d. Ends at SIGTERM or Ctrl-C."
    return click.option("--every", callback=_seconds, metavar="TIME", help=text)(function)

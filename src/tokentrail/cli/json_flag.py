"""The flag `--json`, short for `--format json`: two options of one name behave otherwise in each version of click."""

from __future__ import annotations

from typing import Any, Final

import click

__all__ = ["json_flag", "json_if_asked"]

_ASKED: Final = "tokentrail.json"


def _asked(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
    if value:
        context.meta[_ASKED] = True


def json_if_asked(context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Returns the format: a callback of `--format`, which comes after the flag."""
    return "json" if context.meta.get(_ASKED) else value


json_flag: Final = click.option("--json", is_flag=True, is_eager=True, expose_value=False, callback=_asked, help="The same as --format json.")

"""`tokentrail report --html`: the option, and the way from it to `tokentrail.pages`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from tokentrail.cli.address import opened
from tokentrail.cli.errors import Misuse
from tokentrail.cli.paths import NamedPath
from tokentrail.cli.stdout import say

__all__ = ["html_option", "write_html"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

_OTHERS = {name: f"--{name}" for name in ("by", "json", "limit", "sort", "share", "change", "currency")} | {"output_format": "--format"}
"""Options of a report's table that have no meaning for a page, which has shares, changes and costs anyway."""


def html_option(function: _Decorated) -> _Decorated:
    """Adds `--html` to a command, which gets `html`, a path or None."""
    return click.option(
        "--html",
        metavar="FILE",
        type=NamedPath(dir_okay=False),
        help="Write the report as one HTML page for any browser, offline too; an existing file is replaced whole. Needs tokentrail[pages].",
    )(function)


def write_html(dsn: str, path: Path, **selected: Any) -> None:
    """Writes the page and says where. `selected` are fields of `tokentrail.pages.selection.Selection`."""
    given = click.get_current_context().get_parameter_source
    for name, option in _OTHERS.items():
        if given(name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
            raise click.UsageError(f"{option} has no meaning with --html: the page has its own tables.")
    try:
        from tokentrail.pages.report import write_report  # noqa: PLC0415 - the extra may be missing
        from tokentrail.pages.selection import Selection  # noqa: PLC0415
    except ImportError as error:
        raise Misuse(f'{error.name} is not installed: pip install "tokentrail[pages]"') from error
    try:
        with opened(dsn) as client:
            size = write_report(client, path, Selection(**selected))
    except OSError as error:
        raise Misuse(f"{path} cannot be written: {error.strerror or error}.") from None
    say(f"wrote {path} ({size / 1000:,.0f} kB)")

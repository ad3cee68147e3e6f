"""The error of a misused command: one sentence, exit code 2."""

from __future__ import annotations

import sys
from typing import IO, Any

import click

__all__ = ["Misuse"]


class Misuse(click.ClickException):
    """One sentence: what is wrong, where, and what to do."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints the sentence; at a terminal without broken words."""
        from tokentrail.cli.stdout import filled  # noqa: PLC0415 - which raises this error

        click.echo(filled(f"Error: {self.format_message()}"), file=file or sys.stderr)

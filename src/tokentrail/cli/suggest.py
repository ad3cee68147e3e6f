"""What was probably meant by a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

__all__ = ["Group", "did_you_mean"]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """A question that names the closest of `words`, with a space before it; empty where none is close."""
    close = difflib.get_close_matches(word.lower(), list(words), n=1)
    return f" Did you mean {close[0]}?" if close else ""


class Group(click.Group):
    """A group whose mistyped commands get a suggestion, whichever click is installed."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is misuse, with all names where none is close."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            there = f" There are {', '.join(known)}."
            raise click.UsageError(f"there is no command {name!r}.{did_you_mean(name, known) or there}", ctx)
        return super().resolve_command(ctx, args)

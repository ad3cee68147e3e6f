"""Suggestions for mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

__all__ = ["Group", "did_you_mean"]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Returns a question with the closest of `words`, after a space; empty if no word is close."""
    close = difflib.get_close_matches(word.lower(), list(words), n=1)
    return f" Did you mean {close[0]}?" if close else ""


class Group(click.Group):
    """A group that suggests commands for mistyped ones, with any version of click."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command. Raises `UsageError` for an unknown command, with the closest name, or all names."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            there = f" There are {', '.join(known)}."
            raise click.UsageError(f"there is no command {name!r}.{did_you_mean(name, known) or there}", ctx)
        return super().resolve_command(ctx, args)

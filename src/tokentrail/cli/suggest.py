"""A group of commands that suggests names for mistyped ones."""

from __future__ import annotations

import click

from tokentrail.wording import did_you_mean

__all__ = ["Group"]


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

"""Suggestions for mistyped names: of commands, and of the words that an option takes."""

from __future__ import annotations

from typing import Any

import click

from tokentrail.wording import did_you_mean

__all__ = ["Choice", "Group"]


class Group(click.Group):
    """A group that suggests commands for mistyped ones, with any version of click."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command. Raises `UsageError` for an unknown command, with the closest name, or all names."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not ctx.resilient_parsing and not name.startswith("-"):
            there = f" There are {', '.join(known)}."
            raise click.UsageError(f"there is no command {name!r}.{did_you_mean(name, known) or there}", ctx)
        return super().resolve_command(ctx, args)


class Choice(click.Choice):  # type: ignore[type-arg]  # generic since click 8.2
    """Some words, one of which is taken; a mistyped one gets the closest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the word. Raises `BadParameter` for any other, with the closest one and all."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            words = [str(each) for each in self.choices]
            return self.fail(f"{value!r} is not one of them.{did_you_mean(str(value), words)} There are {', '.join(words)}.", param, ctx)

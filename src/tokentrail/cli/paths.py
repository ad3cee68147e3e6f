"""Files and folders that an argument or an option names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["NamedPath"]


class NamedPath(click.Path):
    """A path. An empty text names none: it would be the working directory, where a shell's variable was not set."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, dir_okay=dir_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path. Raises `BadParameter` for an empty one."""
        if not os.fspath(value):
            self.fail("a path is empty: name a file or a folder, such as '.'.", param, ctx)
        return super().convert(value, param, ctx)

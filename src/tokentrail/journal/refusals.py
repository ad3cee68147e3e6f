"""Numbers that were given to records which the journal could not take, and that no record in the journal tells yet.

A full disk takes neither a record about them nor a closing one, and its process may die then. So the numbers stand in the *name* of an empty file,
`refused.7-18,20-25`, which is there from the beginning and is renamed: a name needs no block.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

from tokentrail.journal.records import coarsened, join_ranges

__all__ = ["Refusals", "load_refused", "refused_files"]

NAME: Final = "refused"
HIGHEST: Final = 2**63 - 1
MAX_NAME_BYTES: Final = 200
"""File systems allow 255; some that encrypt names allow less."""
_RANGES = re.compile(r"refused\.(\d{1,19}-\d{1,19}(?:,\d{1,19}-\d{1,19})*)").fullmatch


def _name(ranges: list[tuple[int, int]]) -> str:
    """The file's name. Ranges that do not fit are joined: a number in between that arrived is not taken for a refused one."""
    for most in range(min(len(ranges), MAX_NAME_BYTES // 4), 0, -1):
        text = ",".join(f"{low}-{high}" for low, high in coarsened(ranges, most))
        if len(text) <= MAX_NAME_BYTES:
            return f"{NAME}.{text}"
    return NAME


def refused_files(folder: Path) -> list[Path]:
    """The files whose names tell of refusals: one, unless an interrupt fell between two names."""
    with contextlib.suppress(FileNotFoundError):
        return [path for path in folder.iterdir() if path.name == NAME or _RANGES(path.name)]
    return []


def load_refused(folder: Path) -> list[tuple[int, int]]:
    """The ranges that the folder's names tell."""
    found = []
    for path in refused_files(folder):
        match = _RANGES(path.name)
        for part in match[1].split(",") if match else ():
            low, _, high = part.partition("-")
            found.append((int(low), int(high)))
    return join_ranges(pair for pair in found if pair[0] <= pair[1] <= HIGHEST)  # a name that no writer has given tells nothing


class Refusals:
    """One writer's refusals: `count` since it began, and the ranges that are not told yet."""

    def __init__(self) -> None:
        self.count = 0
        self.unreported: list[tuple[int, int]] = []
        self.kept = True
        """Whether all that is not told stands in a name on disk."""
        self._name = ""

    def add(self, number: int) -> None:
        """Count one."""
        self.count += 1
        self.unreported = join_ranges([*self.unreported, (number, number)])
        self.kept = False

    def told(self, ranges: list[tuple[int, int]]) -> None:
        """A record in the journal tells these."""
        self.unreported = [pair for pair in self.unreported if pair not in ranges]
        self.kept = False

    def keep(self, folder: Path, *, anew: bool = False) -> None:
        """Give the file its name; `anew` in a new folder. Never raises: where that is impossible too, the numbers are known to this process alone."""
        if self.kept and not anew:
            return
        name = _name(self.unreported) if self.unreported else NAME
        try:
            if self._name and not anew:
                with contextlib.suppress(FileNotFoundError):  # somebody removed it
                    os.rename(folder / self._name, folder / name)  # noqa: PTH104 - Path.rename costs three times as much
                    self._name, self.kept = name, True
                    return
            os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._name, self.kept = name, True
        except OSError:
            return

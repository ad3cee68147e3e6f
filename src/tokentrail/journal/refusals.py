"""Numbers of refused records that no record in the journal reports yet.

A full disk takes neither a record of the refusals nor a closing record, and the process may die then. So the numbers stand in the *name* of an empty
file, `refused.7-18,20-25`, which exists from the beginning and is renamed: a name needs no disk block.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

from tokentrail.journal.records import coarsen, join_ranges
from tokentrail.private_files import open_file

__all__ = ["Refusals", "load_refused", "refused_files"]

NAME: Final = "refused"
HIGHEST: Final = 2**63 - 1
MAX_NAME_BYTES: Final = 200
"""File systems allow 255 bytes; file systems that encrypt names may allow less."""
_RANGES = re.compile(r"refused\.(\d{1,19}-\d{1,19}(?:,\d{1,19}-\d{1,19})*)").fullmatch


def _name(ranges: list[tuple[int, int]]) -> str:
    """Returns the file's name. Ranges that do not fit are joined: a number in between that arrived does not count as refused."""
    for most in range(min(len(ranges), MAX_NAME_BYTES // 4), 0, -1):
        text = ",".join(f"{low}-{high}" for low, high in coarsen(ranges, most))
        if len(text) <= MAX_NAME_BYTES:
            return f"{NAME}.{text}"
    return NAME


def refused_files(folder: Path) -> list[Path]:
    """Returns the files whose names list refused numbers: one file, unless an interrupt fell between two names."""
    with contextlib.suppress(FileNotFoundError):
        return [path for path in folder.iterdir() if path.name == NAME or _RANGES(path.name)]
    return []


def load_refused(folder: Path) -> list[tuple[int, int]]:
    """Returns the refused ranges that file names in the folder list."""
    found = []
    for path in refused_files(folder):
        match = _RANGES(path.name)
        for part in match[1].split(",") if match else ():
            low, _, high = part.partition("-")
            found.append((int(low), int(high)))
    return join_ranges(pair for pair in found if pair[0] <= pair[1] <= HIGHEST)  # other names were not written by a writer


class Refusals:
    """One writer's refusals: `count` since the writer began, and the ranges that no record reports yet."""

    def __init__(self) -> None:
        self.count = 0
        self.unreported: list[tuple[int, int]] = []
        self.kept = True
        """Whether all unreported numbers stand in the file's name."""
        self._name = ""

    def add(self, number: int) -> None:
        """Counts one refused number."""
        self.count += 1
        self.unreported = join_ranges([*self.unreported, (number, number)])
        self.kept = False

    def mark_reported(self, ranges: list[tuple[int, int]]) -> None:
        """Removes ranges that a record in the journal reports."""
        self.unreported = [pair for pair in self.unreported if pair not in ranges]
        self.kept = False

    def keep(self, folder: Path, *, new_folder: bool = False) -> None:
        """Renames the file to the unreported numbers; `new_folder` creates the file. Never raises: if that fails, only memory holds the numbers."""
        if self.kept and not new_folder:
            return
        name = _name(self.unreported) if self.unreported else NAME
        try:
            if self._name and not new_folder:
                with contextlib.suppress(FileNotFoundError):  # the file was removed
                    os.rename(folder / self._name, folder / name)  # noqa: PTH104 - Path.rename costs three times as much
                    self._name, self.kept = name, True
                    return
            os.close(open_file(folder / name, os.O_WRONLY | os.O_CREAT))
            self._name, self.kept = name, True
        except OSError:
            return

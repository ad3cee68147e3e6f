"""Which processes live, as Linux's /proc says."""

from __future__ import annotations

from pathlib import Path


def group(leader: int) -> list[int]:
    """Return the living processes of a process group."""
    return [pid for pid, _parent, pgrp in _processes() if pgrp == leader]


def descendants(root: int) -> list[int]:
    """Return the living processes that a process has started, and those that they have."""
    found: list[int] = []
    todo = {root}
    while todo:
        todo = {pid for pid, parent, _pgrp in _processes() if parent in todo and pid not in found}
        found += todo
    return found


def _processes() -> list[tuple[int, int, int]]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if state not in "ZX":
            found.append((int(entry.name), int(parent), int(pgrp)))
    return found

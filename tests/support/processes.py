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


def resident_kib(pid: int) -> int:
    """Return the memory that a process has now."""
    return _memory_kib(pid, "VmRSS")


def peak_kib(pid: int) -> int:
    """Return the most memory that a process has had."""
    return _memory_kib(pid, "VmHWM")


def _memory_kib(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


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

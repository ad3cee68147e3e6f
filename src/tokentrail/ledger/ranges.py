"""Ranges of sequence numbers: `[(7, 9), (12, 12)]`, written `7-9,12`. Both ends are included."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Range", "intersect", "join", "parse", "subtract", "write"]

Range = tuple[int, int]


def parse(text: str) -> list[Range]:
    """Parses `7-9,12`; a range whose end is before its start is empty. The database accepts only texts of this form."""
    ranges = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        ranges.append((int(first), int(last or first)))
    return [(first, last) for first, last in ranges if first <= last]


def write(ranges: Iterable[Range]) -> str:
    """Formats ranges as `7-9,12`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def join(ranges: Iterable[Range]) -> list[Range]:
    """Sorts ranges, and joins overlapping and neighbouring ones."""
    joined: list[Range] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def subtract(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Returns the numbers of `ranges` that are not in `taken`."""
    left = join(ranges)
    for taken_first, taken_last in join(taken):
        rest: list[Range] = []
        for first, last in left:
            if taken_last < first or last < taken_first:
                rest.append((first, last))
                continue
            if first < taken_first:
                rest.append((first, taken_first - 1))
            if taken_last < last:
                rest.append((taken_last + 1, last))
        left = rest
    return left


def intersect(ranges: Iterable[Range], others: Iterable[Range]) -> list[Range]:
    """Returns the numbers that are in both."""
    ranges = list(ranges)
    return subtract(ranges, subtract(ranges, others))

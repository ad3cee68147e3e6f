"""Durations that are given by hand."""

from __future__ import annotations

__all__ = ["duration_ns"]


def duration_ns(seconds: float) -> int:
    """Returns a duration in nanoseconds. Raises `TypeError` for what is no number, `ValueError` for a number that is negative or beyond 64 bits."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f"duration is a number of seconds, not {type(seconds).__name__}")
    if not 0 <= seconds < 2**63 / 1e9:
        raise ValueError(f"duration is {seconds}: seconds, from 0")
    return int(seconds * 1e9)

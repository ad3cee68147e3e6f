"""The heat map of a page: a table of weekdays and hours, whose cells have one of eight colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tokentrail.pages.facts import Row

__all__ = ["Heat", "heat_map"]

LEVELS: Final = 7
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Heat:
    """Tokens by weekday and hour: per cell the tokens and the colour, 0 for none, 1 to `LEVELS` in equal parts of the highest."""

    rows: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    highest: int

    @property
    def busiest(self) -> str:
        """The weekday and hour with the most tokens; empty without tokens."""
        if not self.highest:
            return ""
        return next(f"{day}, {hour:02d}:00" for day, cells in self.rows for hour, (tokens, _) in enumerate(cells) if tokens == self.highest)


def heat_map(answered: Sequence[Row]) -> Heat:
    """Makes the heat map of an answer of `hours_of_the_week`."""
    tokens = {(row["weekday"], row["hour"]): row["tokens"] or 0 for row in answered}
    highest = max(tokens.values(), default=0)

    def cell(weekday: int, hour: int) -> tuple[int, int]:
        spent = tokens.get((weekday, hour), 0)
        return spent, min(LEVELS, 1 + spent * LEVELS // (highest + 1)) if spent > 0 else 0

    return Heat(tuple((day, tuple(cell(number, hour) for hour in range(24))) for number, day in enumerate(DAYS, start=1)), max(highest, 0))

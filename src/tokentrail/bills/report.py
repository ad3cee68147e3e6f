"""One reading of a report: its lines, until when they are complete, and what was passed over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tokentrail.bills.line import BillLine

__all__ = ["Notes", "Report", "Window"]

_NAME: Final = re.compile(r"\w{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is asked for: from `since` to `until`, excluded, both in UTC, in intervals of a day or an hour (`1d`, `1h`)."""

    since: datetime
    until: datetime
    bucket: str = "1d"


class Notes:
    """What a reader passes over or cannot read, as sentences with the number of rows they are true of."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: Counter[str] = Counter()

    def say(self, sentence: str, rows: int = 1) -> None:
        """Adds rows to a sentence."""
        self._said[sentence] += rows

    def say_unknown(self, row: Mapping[str, Any], known: Container[str]) -> None:
        """Says which numbers of an API's row are not known: a count that the provider has added since."""
        for name, value in row.items():
            if name not in known and value and isinstance(value, (int, Decimal)) and not isinstance(value, bool):
                self.say(f"the field {name if _NAME.fullmatch(name) else 'of a strange name'}, which is not known, was not read")

    @property
    def said(self) -> Mapping[str, int]:
        """The sentences so far, the most frequent first."""
        return dict(self._said.most_common())


class Report:
    """The lines of a report, to be read once, as they come: a large report is never held whole.

    Reading the lines may raise `BillError` at any of them. `notes` is whole when the lines are at their end.
    """

    __slots__ = ("_lines", "_notes", "complete_until", "source")

    def __init__(self, source: str, lines: Iterable[BillLine], notes: Notes, complete_until: datetime | None = None) -> None:
        self.source = source
        """The report's name in the registry."""
        self.complete_until = complete_until
        """The time before which the provider says that its figures do not change any more; None where neither API nor file tells."""
        self._lines = lines
        self._notes = notes

    def __iter__(self) -> Iterator[BillLine]:
        return iter(self._lines)

    @property
    def notes(self) -> Mapping[str, int]:
        """What was passed over or could not be read: sentences, each with the number of rows."""
        return self._notes.said

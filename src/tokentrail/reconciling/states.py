"""What a finding is between two rounds: a pure function from the state before and what was found to the state now.

| before | what was found | now |
|---|---|---|
| nothing, or gone | a difference | open |
| open | another difference, or another explanation | open |
| explained | another difference | open |
| open or explained | no difference any more | gone |
| corrected | a difference, and the correction's entry is in the ledger | open |

All else stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Final, Literal

from tokentrail.reconciling.finding import Figure, Finding, Place
from tokentrail.reconciling.tolerance import Tolerance

__all__ = ["STATES", "Known", "State", "advance"]

State = Literal["open", "explained", "corrected", "gone"]
STATES: Final[tuple[State, ...]] = ("open", "explained", "corrected", "gone")
ROUND: Final = "tokentrail reconcile"
"""Who decides where no person does."""


@dataclass(frozen=True, slots=True)
class Known:
    """A state of a finding, as the table has it. `entry` is the JSON of the last correction's entry; `version` numbers the states from 1."""

    finding: Finding
    state: State = "open"
    version: int = 0
    who: str = ROUND
    why: str = ""
    by_hand: bool = False
    entry: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def id(self) -> str:
        """The finding's id."""
        return self.finding.id

    def becomes(self, state: State, why: str, *, finding: Finding | None = None) -> Known:
        """Returns the state after this one, decided by a round."""
        return replace(self, finding=finding or self.finding, state=state, version=self.version + 1, who=ROUND, why=why, by_hand=False)


def advance(
    before: Mapping[str, Known], found: Iterable[Finding], covers: Callable[[Place], bool], tolerance: Tolerance, arrived: Callable[[Known], bool]
) -> dict[str, Known]:
    """Returns the findings that were looked at, after a round. What is unchanged is the same object.

    `covers`: whether a place was looked at; `arrived`: whether the entry of a correction is in the ledger.
    """
    after: dict[str, Known] = {}
    for finding in found:
        known = before.get(finding.id)
        after[finding.id] = Known(finding, version=1) if known is None else _again(known, finding, tolerance, arrived)
    for known in before.values():
        if known.id not in after and covers(known.finding.place):
            after[known.id] = known.becomes("gone", "the difference has vanished") if known.state in ("open", "explained") else known
    return after


def _again(known: Known, finding: Finding, tolerance: Tolerance, arrived: Callable[[Known], bool]) -> Known:
    """Returns the state of a finding whose difference is there again."""
    if known.state == "gone":
        return known.becomes("open", "the difference is back", finding=finding)
    if known.state == "corrected":
        return known.becomes("open", "the difference is another one since the correction", finding=finding) if arrived(known) else known
    if _is_same(known.finding.figures, finding.figures, tolerance):
        has_changed = known.state == "open" and tuple(known.finding.explanations) != tuple(finding.explanations)
        return known.becomes("open", known.why, finding=finding) if has_changed else known
    if known.state == "explained":
        return known.becomes("open", f"the difference has changed since it was explained by {known.who}: {known.why}", finding=finding)
    return known.becomes("open", "the difference has changed", finding=finding)


def _is_same(before: Sequence[Figure], now: Sequence[Figure], tolerance: Tolerance) -> bool:
    """Whether the differences are as good as those that were known."""
    differences = {figure.measure: figure.difference for figure in before}
    if differences.keys() != {figure.measure for figure in now}:
        return False
    return all(tolerance.same(figure.measure, differences[figure.measure], figure.difference, figure.stated) for figure in now)

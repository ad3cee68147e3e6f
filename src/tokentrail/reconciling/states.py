"""What a finding is between two rounds: a pure function from the state before and what was found to the state now.

| before | what was found | now |
|---|---|---|
| nothing, or gone | a difference | open |
| open | another difference, or another explanation | open |
| explained | another difference | open |
| open or explained | no difference any more | gone |
| corrected | a difference, and the correction's entry is in the ledger | open |

All else stays as it is. A correction that was taken back by hand (`reopen`) is opened once more by the first round that sees its entry in the ledger:
the figures of before would correct the same difference twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Final, Literal

from tokentrail.reconciling.finding import Figure, Finding, Place
from tokentrail.reconciling.tolerance import Tolerance

__all__ = ["STATES", "VANISHED", "Known", "State", "advance"]

State = Literal["open", "explained", "corrected", "gone"]
STATES: Final[tuple[State, ...]] = ("open", "explained", "corrected", "gone")
ROUND: Final = "tokentrail reconcile"
"""Who decides where no person does."""
VANISHED: Final = "the difference has vanished"
_WAS: Final = "; it was explained by "


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

    @property
    def is_uncompared(self) -> bool:
        """Whether a correction was taken back by hand, and the figures are still those of before it."""
        return self.state == "open" and self.by_hand and bool(self.entry)

    def becomes(self, state: State, why: str, *, finding: Finding | None = None) -> Known:
        """Returns the state after this one, decided by a round."""
        return replace(self, finding=finding or self.finding, state=state, version=self.version + 1, who=ROUND, why=why, by_hand=False)


def advance(
    before: Mapping[str, Known], found: Iterable[Finding], why_gone: Callable[[Place], str], tolerance: Tolerance, arrived: Callable[[Known], bool]
) -> dict[str, Known]:
    """Returns the findings that were looked at, after a round. What is unchanged is the same object.

    `why_gone`: why a finding of a place is gone, nothing if nobody has looked at the place; `arrived`: whether the entry of a correction was in the
    ledger when the ledger was looked at.
    """
    after: dict[str, Known] = {}
    for finding in found:
        known = before.get(finding.id)
        after[finding.id] = Known(finding, version=1) if known is None else _again(known, finding, tolerance, arrived)
    for known in before.values():
        if known.id not in after and (why := why_gone(known.finding.place)):
            after[known.id] = known.becomes("gone", f"{why}{_former(known)}") if known.state in ("open", "explained") else known
    return after


def _former(known: Known) -> str:
    """Returns who has explained a finding and why, to be said with what becomes of it."""
    if known.state == "explained":
        return f"{_WAS}{known.who}: {known.why}"
    _, was, explanation = known.why.partition(_WAS)
    return was + explanation


def _again(known: Known, finding: Finding, tolerance: Tolerance, arrived: Callable[[Known], bool]) -> Known:
    """Returns the state of a finding whose difference is there again."""
    if known.state == "gone":
        return known.becomes("open", f"the difference is back{_former(known)}", finding=finding)
    if known.state == "corrected":
        return known.becomes("open", "the difference is another one since the correction", finding=finding) if arrived(known) else known
    if known.is_uncompared:
        return known.becomes("open", known.why, finding=finding) if arrived(known) else known
    if _is_same(known.finding, finding, tolerance):
        has_changed = known.state == "open" and tuple(known.finding.explanations) != tuple(finding.explanations)
        return known.becomes("open", known.why, finding=finding) if has_changed else known
    if known.state == "explained":
        return known.becomes("open", f"the difference has changed since it was explained by {known.who}: {known.why}", finding=finding)
    return known.becomes("open", f"the difference has changed{_former(known)}", finding=finding)


def _is_same(before: Finding, now: Finding, tolerance: Tolerance) -> bool:
    """Whether the differences are as good as those that were known, also where one of them is within the tolerance by now."""
    if any(before.figure(figure.measure) is None for figure in now.figures):
        return False
    figures = {figure.measure: figure for figure in (*now.figures, *now.near)}
    return all(_is_as_good(figure, figures.get(figure.measure), tolerance) for figure in before.figures)


def _is_as_good(before: Figure, now: Figure | None, tolerance: Tolerance) -> bool:
    return now is not None and tolerance.same(now.measure, before.difference, now.difference, now.stated)

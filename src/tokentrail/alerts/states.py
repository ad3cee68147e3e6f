"""What an alert is between two checks: a pure function from the state before and what was found to the state now.

    (nothing) → pending → firing → resolved → ended
                   ╰──────────────────────────↗

A condition that is true for less than its hold ends as it came, and nobody is told. A firing alert goes on until the value is not above `clear`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from tokentrail.alerts.conditions import Finding

__all__ = ["Alert", "Key", "State", "advance"]

State = Literal["pending", "firing", "resolved", "ended"]
Key = tuple[str, str]
"""A condition and a subject."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. `told` are the targets that know that it fires, `told_resolved` those that know that it is over."""

    condition: str
    subject: str
    state: State
    since: datetime
    value: float
    threshold: float
    detail: str
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told: frozenset[str] = frozenset()
    told_resolved: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """By which the alert is the same one in the next check."""
        return self.condition, self.subject


def advance(
    before: Mapping[Key, Alert], found: Iterable[Finding], holds: Mapping[str, timedelta], now: datetime, *, targets: frozenset[str] = frozenset()
) -> dict[Key, Alert]:
    """Returns the alerts after a check. `holds` are the conditions that were asked, each with its hold; alerts of other conditions stay as they are.

    An alert that is resolved ends as soon as each of `targets` that was told of it knows.
    """
    by_key = {(each.condition, each.subject): each for each in found}
    after: dict[Key, Alert] = {}
    for key in [*before, *(key for key in by_key if key not in before)]:
        alert, finding = before.get(key), by_key.get(key)
        if alert is not None and alert.condition not in holds:
            after[key] = alert
        elif finding is not None and _is_true(alert, finding):
            after[key] = _true(alert, finding, holds[finding.condition], now)
        elif alert is not None:
            after[key] = _over(alert, finding, now, targets)
    return after


def _is_true(alert: Alert | None, finding: Finding) -> bool:
    return finding.firing or (alert is not None and alert.state == "firing" and finding.value > finding.clear)


def _true(alert: Alert | None, finding: Finding, hold: timedelta, now: datetime) -> Alert:
    if alert is None or alert.state == "ended":
        alert = Alert(finding.condition, finding.subject, "pending", now, finding.value, finding.threshold, finding.detail)
    elif alert.state == "resolved":
        # it came back before all had heard that it was over: for them it has never ended
        alert = replace(alert, state="firing", resolved_at=None, told=alert.told - alert.told_resolved, told_resolved=frozenset())
    since = min(alert.since, now)  # a clock that has gone back must not make the hold longer by as much
    alert = replace(alert, since=since, value=finding.value, threshold=finding.threshold, detail=finding.detail)
    if alert.state == "pending" and now - alert.since >= hold:
        return replace(alert, state="firing", fired_at=now)
    return alert


def _over(alert: Alert, finding: Finding | None, now: datetime, targets: frozenset[str]) -> Alert:
    if alert.state in ("pending", "ended"):
        return replace(alert, state="ended")
    if alert.state == "firing":
        alert = replace(alert, state="resolved", resolved_at=now)
        if finding is not None:
            alert = replace(alert, value=finding.value, detail=finding.detail)
    return replace(alert, state="ended") if not (alert.told & targets) - alert.told_resolved else alert

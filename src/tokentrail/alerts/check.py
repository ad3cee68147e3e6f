"""A check: ask the conditions' questions, compare with the check before, tell whoever does not know yet, and remember."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from tokentrail.alerts.conditions import BY_NAME, Condition, Finding, find
from tokentrail.alerts.messages import Message, message
from tokentrail.alerts.once import Once
from tokentrail.alerts.runbooks import address
from tokentrail.alerts.states import Alert, Key, advance
from tokentrail.alerts.store import Lease, alerts, leased, save
from tokentrail.alerts.targets import Target
from tokentrail.alerts.thresholds import Thresholds
from tokentrail.clickhouse.client import ClickHouseError, Client

__all__ = ["Asked", "Told", "ask", "tell"]


@dataclass(slots=True)
class Told:
    """What became of telling. `busy`: another check tells at this moment, and this one has told nobody."""

    alerts: dict[Key, Alert] = field(default_factory=dict)
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    busy: bool = False


@dataclass(slots=True)
class Asked:
    """What was found: all subjects with enough numbers, firing or not; and the conditions that could not be answered, each with its sentence."""

    found: list[Finding] = field(default_factory=list)
    answered: list[Condition] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def firing(self) -> list[Finding]:
        """The subjects that are above their threshold."""
        return [each for each in self.found if each.firing]


def ask(client: Client, conditions: Sequence[Condition], thresholds: Thresholds, *, at: datetime | None = None) -> Asked:
    """Asks the conditions' questions, now or for a moment that is past. A question that fails leaves the others alone.

    Raises `ClickHouseError` if ClickHouse does not answer, or answers no question at all.
    """
    asked, once = Asked(), Once(client)
    for condition in conditions:
        try:
            asked.found += find(client, condition, thresholds.of(condition).parameters, at=at, once=once)
            asked.answered.append(condition)
        except ClickHouseError as error:
            asked.failed[condition.name] = str(error)
            if error.code is None or len(asked.failed) == len(conditions):
                raise
    return asked


def tell(
    client: Client,
    asked: Asked,
    thresholds: Thresholds,
    targets: Sequence[Target],
    *,
    now: datetime | None = None,
) -> Told:
    """Remembers what was found, and tells each target what it does not know yet. What a target did not take is tried again at the next check."""
    now = now or datetime.now(timezone.utc)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    holds = {condition.name: timedelta(minutes=thresholds.of(condition).hold or 0) for condition in asked.answered}
    with leased(client) as lease:
        if lease is None:
            return Told(busy=True)
        before = alerts(client)
        holds |= {name: timedelta(0) for name, _ in before if name in BY_NAME and thresholds.of(BY_NAME[name]).off}  # which ends them
        known = frozenset(target.id for target in targets)
        told = Told(advance(before, asked.found, holds, now, targets=known))
        save(client, before, told.alerts.values())
        for target in targets:
            _tell(client, lease, told, target, thresholds)
        written = dict(told.alerts)
        told.alerts = advance(written, asked.found, holds, now, targets=known)
        save(client, written, told.alerts.values())
        return told


def _tell(client: Client, lease: Lease, told: Told, target: Target, thresholds: Thresholds) -> None:
    """Tells one target, one message a condition; what it has taken is written at once, so that a kill repeats one message at most."""
    for name in dict.fromkeys(alert.condition for alert in told.alerts.values()):
        written = _message(BY_NAME[name], told, target, thresholds) if name in BY_NAME else None
        if written is None:
            continue
        if not lease.holds() or not target.send(written):
            told.failed.append(f"{target.name} has not taken the message on {written.condition.title}: the next check tries again")
            continue
        told.sent += 1
        before = dict(told.alerts)
        told.alerts |= {each.key: replace(each, told=each.told | {target.id}) for each in written.firing}
        told.alerts |= {each.key: replace(each, told_resolved=each.told_resolved | {target.id}) for each in written.resolved}
        save(client, before, told.alerts.values())


def _message(condition: Condition, told: Told, target: Target, thresholds: Thresholds) -> Message | None:
    own = [alert for alert in told.alerts.values() if alert.condition == condition.name]
    every = [alert for alert in own if alert.state == "firing"]
    firing = [alert for alert in every if target.repeats or target.id not in alert.told]
    resolved = [alert for alert in own if alert.state == "resolved" and target.id in alert.told - alert.told_resolved]
    if not firing and not resolved:
        return None
    return message(
        condition,
        thresholds.of(condition).severity or condition.severity,
        firing=firing,
        resolved=resolved,
        still=len(every) - len(firing),
        unit=condition.query.unit,
        runbook=address(condition.name, thresholds.runbooks),
    )

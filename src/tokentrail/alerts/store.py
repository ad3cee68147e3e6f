"""The states of alerts in ClickHouse, and the lease by which one check at a time tells.

A check takes the next number by an INSERT whose deduplication token is that number: of two such INSERTs the server drops one, so that exactly one
check has the number. A check without a number tells nobody. A check that was killed holds its number until its time is over.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

from tokentrail.alerts.states import Alert, Key
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import answer, read

__all__ = ["Lease", "alerts", "leased", "save"]

LEASE_S: Final = 120
RENEW_BELOW_S: Final = 60
SAFE_S: Final = 20
"""A check whose lease has fewer seconds left tells nobody any more: no message takes longer."""


@dataclass(slots=True)
class Lease:
    """The right to tell, for a time."""

    client: Client
    number: int
    holder: str
    ends: float = field(default_factory=lambda: time.monotonic() + LEASE_S)

    def holds(self) -> bool:
        """Whether there is time to tell somebody; takes more time while there is some."""
        left = self.ends - time.monotonic()
        if SAFE_S < left < RENEW_BELOW_S:
            began = time.monotonic()
            _goes_on(self.client, self, ended=False)
            self.ends = began + LEASE_S
            return True
        return left > SAFE_S


@contextmanager
def leased(client: Client) -> Iterator[Lease | None]:
    """Takes the right to tell; `None` if another check has it."""
    lease = _take(client)
    try:
        yield lease
    finally:
        if lease is not None:
            _goes_on(client, lease, ended=True)


def _take(client: Client) -> Lease | None:
    (latest,) = answer(client, "alert_check").dicts()
    if latest["runs"]:
        return None
    began = time.monotonic()
    lease = Lease(client, int(latest["number"]) + 1, uuid.uuid4().hex, began + LEASE_S)
    query = read("alert_check_take")
    given = query.given({"number": lease.number, "holder": lease.holder, "seconds": LEASE_S})
    client.command(query.filled({"token": f"'check {lease.number}'"}), given)
    (now,) = answer(client, "alert_check").dicts()
    return lease if (now["number"], now["holder"]) == (lease.number, lease.holder) else None


def _goes_on(client: Client, lease: Lease, *, ended: bool) -> None:
    query = read("alert_check_goes_on")
    given: dict[str, Parameter] = {"number": lease.number, "holder": lease.holder, "seconds": 0 if ended else LEASE_S, "ended": int(ended)}
    client.command(query.filled(), query.given(given))


def alerts(client: Client) -> dict[Key, Alert]:
    """Returns the alerts that have not ended."""
    return {alert.key: alert for alert in map(_alert, answer(client, "alerts").dicts())}


def save(client: Client, before: Mapping[Key, Alert], after: Iterable[Alert]) -> None:
    """Writes the alerts that differ from those before, in one block."""
    changed = [alert for alert in after if before.get(alert.key) != alert]
    if not changed:
        return
    ((version,),) = answer(client, "alert_versions").rows
    client.insert_json("alerts", [_row(alert, int(version) + 1) for alert in changed])


def _row(alert: Alert, version: int) -> dict[str, Any]:
    return {
        "condition": alert.condition,
        "subject": alert.subject,
        "version": version,
        "state": alert.state,
        "since": _text(alert.since),
        "fired_at": _text(alert.fired_at),
        "resolved_at": _text(alert.resolved_at),
        "value": alert.value,
        "threshold": alert.threshold,
        "detail": alert.detail,
        "told": sorted(alert.told),
        "told_resolved": sorted(alert.told_resolved),
    }


def _alert(row: Mapping[str, Any]) -> Alert:
    return Alert(
        condition=row["condition"],
        subject=row["subject"],
        state=row["state"],
        since=_time(row["since"]) or datetime.now(timezone.utc),
        value=float(row["value"]),
        threshold=float(row["threshold"]),
        detail=row["detail"],
        fired_at=_time(row["fired_at"]),
        resolved_at=_time(row["resolved_at"]),
        told=frozenset(row["told"]),
        told_resolved=frozenset(row["told_resolved"]),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=timezone.utc)

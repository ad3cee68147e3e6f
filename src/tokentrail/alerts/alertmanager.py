"""Alertmanager's API, version 2: every check posts all alerts that fire, as Prometheus does, and once each that is over, with its end.

Alertmanager groups, silences and routes. An alert that nobody posts any more ends for Alertmanager after `KEPT`: while no check runs, nothing is
known, and Alertmanager must not say "resolved" at once.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import urllib3

from tokentrail.alerts.messages import LONGEST_LABEL, Message, harmless
from tokentrail.alerts.states import Alert

__all__ = ["SCHEMES", "Alertmanager", "TargetError"]

SCHEMES: Final = {"alertmanager": "http", "alertmanagers": "https"}
KEPT: Final = timedelta(days=1)
_TIMEOUT_S: Final = 10.0
_ACCEPTED: Final = 200


class TargetError(ValueError):
    """An address of a target that cannot be used. One sentence, without the address: it holds secrets."""


class Alertmanager:
    """An Alertmanager: `alertmanager://user:password@host:9093/prefix`, or `alertmanagers://…` over TLS."""

    repeats = True

    def __init__(self, address: str) -> None:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host:
            raise TargetError("it is no alertmanager://host:port")
        host = f"[{host}]" if ":" in host else host
        self._url = f"{SCHEMES[parts.scheme]}://{host}:{port or 9093}{parts.path.rstrip('/')}/api/v2/alerts"
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            self._headers |= urllib3.make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT_S, retries=False)

    @property
    def kind(self) -> str:
        """What the target is, for people."""
        return "alertmanager"

    def send(self, message: Message) -> bool:
        """Posts the alerts of a message. Returns whether Alertmanager has taken them."""
        now = datetime.now(timezone.utc)
        alerts = [
            *(_posted(each, message, now + KEPT) for each in message.firing),
            *(_posted(each, message, min(each.resolved_at or now, now)) for each in message.resolved),
        ]
        body = json.dumps(alerts).encode()
        try:
            answered = self._pool.request("POST", self._url, body=body, headers=self._headers, redirect=False, preload_content=False)
        except urllib3.exceptions.HTTPError:
            return False
        answered.close()  # the status says all: what follows may be without an end
        return bool(answered.status == _ACCEPTED)


def _posted(alert: Alert, message: Message, ends: datetime) -> dict[str, Any]:
    return {
        "labels": {
            "alertname": message.condition.alertname,
            "condition": alert.condition,
            "severity": message.severity,
            "subject": harmless(alert.subject, LONGEST_LABEL),
        },
        "annotations": {
            "summary": f"{message.condition.title}: {alert.value:g} (threshold {alert.threshold:g})",
            "description": harmless(alert.detail, 500),
            "runbook_url": message.runbook,
        },
        "startsAt": min(alert.fired_at or alert.since, ends).isoformat(),  # a clock may have gone back: an end before its start is refused
        "endsAt": ends.isoformat(),
    }

"""Who is told: the services that apprise speaks to, and Alertmanager. The addresses hold secrets, and stand in no output, log or table."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs

from tokentrail.alerts.alertmanager import SCHEMES, Alertmanager, TargetError
from tokentrail.alerts.messages import Message, within
from tokentrail.alerts.store import SAFE_S

__all__ = ["Target", "TargetError", "Told", "addresses", "targets"]

_DIGITS: Final = 16
SEND_S: Final = SAFE_S - 5.0
"""How long a target may take for a message: less than a lease has left, so that no other check tells meanwhile."""


class Told(Protocol):
    """A way to tell. `repeats`: wants to hear at each check of all that fires."""

    repeats: bool

    @property
    def kind(self) -> str:
        """What the target is, for people: slack, mailto, json."""

    def send(self, message: Message) -> bool:
        """Tells. Returns whether the target has taken the message."""


class Target:
    """A target: a way to tell, and the hash by which the ledger knows who was told."""

    def __init__(self, place: int, address: str) -> None:
        self.place = place
        self.id = hashlib.sha256(address.encode()).hexdigest()[:_DIGITS]
        scheme = address.partition("://")[0].lower()
        with _Unlogged():
            self._way: Told = Alertmanager(address) if scheme in SCHEMES else _Apprise(address)
        self.repeats = self._way.repeats
        self._hangs = False

    @property
    def name(self) -> str:
        """The target, for people."""
        return f"target {self.place} ({self._way.kind})"

    def send(self, message: Message) -> bool:
        """Tells. Returns whether the target has taken the message; an exception is a refusal, and its text may hold the address.

        Timeouts of libraries are of single reads: a server that sends a letter now and then holds them for ever. So a thread tells, and the one that
        hangs is left behind. Its target is not asked again by this check.
        """
        if self._hangs:
            return False
        taken: list[bool] = []

        def run() -> None:
            with suppress(Exception):
                taken.append(self._way.send(message))

        unlogged = _Unlogged()
        with unlogged:
            thread = threading.Thread(target=run, name="tokentrail-tell", daemon=True)
            thread.start()
            thread.join(SEND_S)
            self._hangs = unlogged.stays = thread.is_alive()
        return taken == [True]


class _Apprise:
    """A service of apprise, by its address: `slack://…`, `mailto://…`, `pagerduty://…`, `json://…`."""

    repeats = False

    def __init__(self, address: str) -> None:
        import apprise  # noqa: PLC0415 - an extra

        self._types = apprise.NotifyType
        self._format = apprise.NotifyFormat.TEXT
        asset = apprise.AppriseAsset(app_id="tokentrail", app_desc="tokentrail", async_mode=False, plugin_paths=[], interpret_escapes=False)
        asset.http_redirects = False  # a page to log in on, behind a redirect, would be taken for an answer
        self.kind = address.partition("://")[0].lower()
        service = apprise.Apprise.instantiate(_with_end(self.kind, address), asset=asset, suppress_exceptions=True)
        if service is None:
            raise TargetError("apprise does not know it (https://github.com/caronc/apprise/wiki lists the forms)")
        self._most = service.body_maxlen
        self._apprise = apprise.Apprise(asset=asset)
        self._apprise.add(service)

    def send(self, message: Message) -> bool:
        kind = self._types.SUCCESS if message.over else self._types.FAILURE if message.severity == "page" else self._types.WARNING
        body = within(message.text, self._most - len(message.title) - 2)  # some services have no title: it is the first line
        return bool(self._apprise.notify(body=body, title=message.title, notify_type=kind, body_format=self._format))


def _with_end(kind: str, address: str) -> str:
    """Returns the address so that PagerDuty's incident ends with its condition, if the address states nothing else: apprise would begin another."""
    _, mark, query = address.partition("?")
    if kind != "pagerduty" or "action" in parse_qs(query, keep_blank_values=True):
        return address
    return f"{address}{'&' if mark else '?'}action=map"


class _Unlogged:
    """Keeps every library silent meanwhile: apprise, requests and urllib3 log addresses. `stays`: a thread is left that may still log."""

    def __init__(self) -> None:
        self.stays = False
        self._before = logging.root.manager.disable

    def __enter__(self) -> None:
        logging.disable(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        if not self.stays:
            logging.disable(self._before)


def addresses(given: Sequence[str]) -> list[str]:
    """Returns the addresses; `@FILE` stands for those in a file, one a line. Raises `TargetError` for a file that cannot be read."""
    found: list[str] = []
    for each in given:
        if not each.startswith("@"):
            found.append(each)
            continue
        try:
            lines = Path(each[1:]).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise TargetError(f"the file {each[1:]} cannot be read: {reason}") from None
        found += [line for line in map(str.strip, lines) if line and not line.startswith("#")]
    return list(dict.fromkeys(found))


def targets(given: Sequence[str]) -> list[Target]:
    """Returns the targets of addresses. Raises `TargetError` for the first one that cannot be used, by its place."""
    made = []
    for place, address in enumerate(addresses(given), 1):
        try:
            made.append(Target(place, address))
        except TargetError as error:
            raise TargetError(f"target {place} cannot be used: {error}") from None
    return made

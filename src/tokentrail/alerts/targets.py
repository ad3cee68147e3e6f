"""Who is told: the services that apprise speaks to, and Alertmanager. The addresses hold secrets, and stand in no output, log or table."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from tokentrail.alerts.alertmanager import SCHEMES, Alertmanager, TargetError
from tokentrail.alerts.messages import Message

__all__ = ["Target", "TargetError", "Told", "addresses", "targets"]

_DIGITS: Final = 16


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
        with _unlogged():
            self._way: Told = Alertmanager(address) if scheme in SCHEMES else _Apprise(address)
        self.repeats = self._way.repeats

    @property
    def name(self) -> str:
        """The target, for people."""
        return f"target {self.place} ({self._way.kind})"

    def send(self, message: Message) -> bool:
        """Tells. Returns whether the target has taken the message; an exception is a refusal, and its text may hold the address."""
        try:
            with _unlogged():
                return self._way.send(message)
        except Exception:
            return False


class _Apprise:
    """A service of apprise, by its address: `slack://…`, `mailto://…`, `pagerduty://…`, `json://…`."""

    repeats = False

    def __init__(self, address: str) -> None:
        import apprise  # noqa: PLC0415 - an extra

        self._types = apprise.NotifyType
        self._format = apprise.NotifyFormat.TEXT
        asset = apprise.AppriseAsset(app_id="tokentrail", app_desc="tokentrail", async_mode=False, plugin_paths=[], interpret_escapes=False)
        service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if service is None:
            raise TargetError("apprise does not know it (https://github.com/caronc/apprise/wiki lists the forms)")
        self.kind = address.partition("://")[0].lower()
        self._apprise = apprise.Apprise(asset=asset)
        self._apprise.add(service)

    def send(self, message: Message) -> bool:
        kind = self._types.SUCCESS if message.over else self._types.FAILURE if message.severity == "page" else self._types.WARNING
        return bool(self._apprise.notify(body=message.text, title=message.title, notify_type=kind, body_format=self._format))


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps every library silent meanwhile: apprise, requests and urllib3 log addresses."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


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
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
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

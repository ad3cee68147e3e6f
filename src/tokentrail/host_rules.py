"""The keys of the settings `provider_hosts` and (without paths) `baggage_hosts`: the servers that a key matches, and the order of several keys.

    key  = host [":" port] ["/" path]
    host   a name or an address; `*` stands for any characters: `llm.internal`, `*.internal`, `10.0.0.*`, `[::1]`, `*`
    port   any port if the key has none; an address without a port has the port of its scheme (443, 80)
    path   the beginning of the path, in whole steps; `*` stands for any characters within a step: `gateway.example/v1/*/groq`

The most specific key wins: an exact host before a pattern, and a longer pattern before a shorter pattern; then the longer path; then a key with a
port. A scheme in front (`http://llm.internal:8000`) is allowed, since addresses are copied, and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from tokentrail.addresses import bare

__all__ = ["HostRule", "own_hosts", "rules_of", "steps_of"]

_FORM: Final = re.compile(r"(?:https?://)?(?P<host>\[[0-9a-f:.*]+\]|[^/:\[\]]*)(?::(?P<port>[^/]*))?(?P<path>/.*)?", re.IGNORECASE)
_HOST: Final = re.compile(r"[\w.*-]+|\[[0-9a-f:.*]+\]", re.IGNORECASE)
_PATH: Final = re.compile(r"[^\s?#\[\]]*")
_MAX_PORT: Final = 65535
_FORMS: Final = {"provider_hosts": "host, host:port, *.domain or host/path, each =provider", "baggage_hosts": "host, host:port or *.domain"}


def steps_of(path: str) -> tuple[str, ...]:
    """Returns the steps of a path, without empty steps: `("v1", "x")` for `/v1//x/`."""
    return tuple(step for step in path.split("/") if step)


@dataclass(frozen=True)
class HostRule:
    """A key and its provider. A `port` of None matches any port."""

    provider: str
    host: str
    port: int | None = None
    path: tuple[str, ...] = ()

    @classmethod
    def parse(cls, key: str, provider: str, setting: str = "provider_hosts") -> HostRule:
        """Parses a key of a setting; raises `ValueError` with a sentence that shows the allowed forms."""
        form = _FORM.fullmatch(key)
        host = form["host"].lower() if form is not None else ""
        path = (form and form["path"]) or ""
        port = (form and form["port"]) or ""
        wrong = ""
        if "@" in key:
            wrong = "it holds a user or a password, which no key has"
        elif form is None or not _HOST.fullmatch(host):
            wrong = "its host is not a host"
        elif form["port"] is not None and not (port.isascii() and port.isdigit() and 0 < int(port) <= _MAX_PORT):
            wrong = "its port is not a number from 1 to 65535"
        elif not _PATH.fullmatch(path):
            wrong = "its path holds a blank or one of ? # [ ]"
        elif not provider.strip():
            wrong = "it names no provider"
        if wrong:
            raise ValueError(f"{setting}={bare(key)!r}: {wrong}; write {_FORMS[setting]}")
        return cls(provider.strip(), host.strip("[]").rstrip("."), int(port) if port else None, steps_of(path))

    @cached_property
    def rank(self) -> tuple[bool, int, int, int, bool]:
        """The specificity of the rule; the greatest rank wins."""
        letters = sum(len(step.replace("*", "")) for step in self.path)
        return "*" not in self.host, len(self.host.replace("*", "")), len(self.path), letters, self.port is not None

    def matches_host(self, host: str, ports: Sequence[int]) -> bool:
        """Whether the rule matches the host at one of these ports, at any path."""
        return (self.port is None or self.port in ports) and (self.host == host or ("*" in self.host and fnmatchcase(host, self.host)))

    def matches(self, host: str, ports: Sequence[int], steps: Sequence[str]) -> bool:
        """Whether the rule matches an address: host (in lower case), port, the steps of its path."""
        return self.matches_host(host, ports) and len(steps) >= len(self.path) and all(map(fnmatchcase, steps, self.path))


def rules_of(given: Mapping[str, str]) -> tuple[HostRule, ...]:
    """Returns the rules of the setting, the most specific rule first; raises `ValueError` for the first invalid key."""
    return tuple(sorted((HostRule.parse(key, provider) for key, provider in given.items()), key=lambda rule: rule.rank, reverse=True))


def own_hosts(given: Sequence[str]) -> tuple[HostRule, ...]:
    """Returns the rules of the setting `baggage_hosts`; raises `ValueError` for the first invalid host, a path, and a pattern of every host."""
    rules = tuple(HostRule.parse(key, "own", "baggage_hosts") for key in given)
    for key, rule in zip(given, rules, strict=True):
        if rule.path or not rule.host.strip("*."):
            wrong = "a path says nothing here" if rule.path else "it names every host, and providers are to learn of no tenant"
            raise ValueError(f"baggage_hosts={key!r}: {wrong}; write {_FORMS['baggage_hosts']}")
    return rules

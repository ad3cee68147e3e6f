"""The keys of the setting `provider_hosts`: which servers one of them means, and which of several that mean a server wins.

    key  = host [":" port] ["/" path]
    host   a name or an address; `*` stands for any characters: `llm.internal`, `*.internal`, `10.0.0.*`, `[::1]`, `*`
    port   any port if it is left out; that of an address without one is its scheme's (443, 80)
    path   what the path begins with, in whole steps; `*` stands for any characters within a step: `gateway.example/v1/*/groq`

The most specific key wins: an exact host before a pattern, and a longer pattern before a shorter one; then the longer path; then a port before none.
A scheme in front (`http://llm.internal:8000`) may be there, since addresses are copied, and means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from tokentrail.addresses import bare

__all__ = ["HostRule", "rules_of", "steps_of"]

_FORM: Final = re.compile(r"(?:https?://)?(?P<host>\[[0-9a-f:.*]+\]|[^/:\[\]]*)(?::(?P<port>[^/]*))?(?P<path>/.*)?", re.IGNORECASE)
_HOST: Final = re.compile(r"[\w.*-]+|\[[0-9a-f:.*]+\]", re.IGNORECASE)
_PATH: Final = re.compile(r"[^\s?#\[\]]*")
_MAX_PORT: Final = 65535


def steps_of(path: str) -> tuple[str, ...]:
    """The steps of a path, without empty ones: `/v1//x/` is `("v1", "x")`."""
    return tuple(step for step in path.split("/") if step)


@dataclass(frozen=True)
class HostRule:
    """One key, and the provider that it names. `port` is None for any."""

    provider: str
    host: str
    port: int | None = None
    path: tuple[str, ...] = ()

    @classmethod
    def parse(cls, key: str, provider: str) -> HostRule:
        """Read a key; raises `ValueError` with a sentence that says what it may look like."""
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
            wrong = "its path holds what no path begins with"
        elif not provider.strip():
            wrong = "it names no provider"
        if wrong:
            raise ValueError(f"provider_hosts={bare(key)!r}: {wrong}; write host, host:port, *.domain or host/path, each =provider")
        return cls(provider.strip(), host.strip("[]").rstrip("."), int(port) if port else None, steps_of(path))

    @cached_property
    def rank(self) -> tuple[bool, int, int, int, bool]:
        """How specific the rule is; the greatest wins."""
        letters = sum(len(step.replace("*", "")) for step in self.path)
        return "*" not in self.host, len(self.host.replace("*", "")), len(self.path), letters, self.port is not None

    def means_host(self, host: str, ports: Sequence[int]) -> bool:
        """Whether the host, at one of these ports, is meant, whatever the path."""
        return (self.port is None or self.port in ports) and (self.host == host or ("*" in self.host and fnmatchcase(host, self.host)))

    def means(self, host: str, ports: Sequence[int], steps: Sequence[str]) -> bool:
        """Whether an address is meant: host (in lower case), port, the steps of its path."""
        return self.means_host(host, ports) and len(steps) >= len(self.path) and all(map(fnmatchcase, steps, self.path))


def rules_of(given: Mapping[str, str]) -> tuple[HostRule, ...]:
    """The rules of the setting, the most specific one first; raises `ValueError` for the first wrong one."""
    return tuple(sorted((HostRule.parse(key, provider) for key, provider in given.items()), key=lambda rule: rule.rank, reverse=True))

"""Finds the provider that answers at a URL: by the setting `provider_hosts`, then gateways, then the table; else the SDK's own provider."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tokentrail.host_rules import HostRule, rules_of, steps_of
from tokentrail.process.current import current
from tokentrail.process.diagnostics import log
from tokentrail.providers.table import PROVIDERS

__all__ = ["Server", "is_named", "place_of", "server_of"]


_HOSTS: Final = {host: provider.name for provider in PROVIDERS for host in provider.hosts}
_SUFFIXES: Final = tuple((suffix, provider.name) for provider in PROVIDERS for suffix in provider.suffixes)
_PREFIXES: Final = tuple((prefix, provider.name) for provider in PROVIDERS for prefix in provider.prefixes)
_PORTS: Final = {provider.port: provider.name for provider in PROVIDERS if provider.port}
_ACCEPT_INCLUDE_USAGE: Final = frozenset(provider.name for provider in PROVIDERS if provider.accepts_include_usage)

_CLOUDFLARE: Final = "gateway.ai.cloudflare.com/v1/*/*/"
"""developers.cloudflare.com/ai-gateway/usage/providers: `gateway.ai.cloudflare.com/v1/{account_id}/{gateway_id}/{provider}` forwards calls to the
provider. Calls to other paths (`compat`, `workers-ai`) are answered by Cloudflare, as far as an address shows."""

_GATEWAYS: Final = rules_of(
    {_CLOUDFLARE + provider.cloudflare: provider.name for provider in PROVIDERS if provider.cloudflare}
    | {gateway: provider.name for provider in PROVIDERS for gateway in provider.gateways}
)
"""Gateways: services between a client and providers. A gateway's call belongs to the provider that the address names, else to the gateway."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a client's calls: provider, address, port (0 for the scheme's port), and whether the provider accepts `include_usage`.

    `is_named`: the table or the setting names the provider; otherwise the provider is the SDK's default, and an answer may prove another.
    """

    provider: str
    address: str
    port: int
    accepts_include_usage: bool
    is_named: bool = True


_SCHEMES: Final = {"https": 443, "http": 80}
_MAX_SERVERS: Final = 256
_servers: dict[int, tuple[Any, Mapping[str, str], str, Server]] = {}
_rules: dict[int, tuple[Mapping[str, str], tuple[HostRule, ...]]] = {}


def server_of(url: Any, default: str) -> Server:
    """Returns the server of a client's base URL (an `httpx.URL`); `default` is the provider for unknown hosts.

    Each URL object is read once: reading the parts costs more than the rest of the call's bookkeeping.
    """
    own = current.settings.provider_hosts
    known = _servers.get(id(url))
    if known is not None and known[0] is url and known[1] is own and known[2] == default:
        return known[3]
    server = _look_up(url, default, own)
    if len(_servers) >= _MAX_SERVERS:
        _servers.clear()
    _servers[id(url)] = (url, own, default, server)  # the reference keeps the URL alive, so that no other object gets the same id
    return server


def _look_up(url: Any, default: str, own: Mapping[str, str]) -> Server:
    host, port, usual = url.host.lower().rstrip("."), url.port, _SCHEMES.get(url.scheme, 0)
    steps = steps_of(url.path)
    named = _match(_rules_for(own), host, (port or usual,), steps) or _match(_GATEWAYS, host, (port or usual,), steps) or _in_table(host, port)
    shown = 0 if port in (None, *_SCHEMES.values()) else int(port)
    if named is None:
        _log_default(host, shown, default)
    return Server(named or default, host, shown, named is not None and named in _ACCEPT_INCLUDE_USAGE, named is not None)


def _match(rules: Sequence[HostRule], host: str, ports: Sequence[int], steps: Sequence[str]) -> str | None:
    return next((rule.provider for rule in rules if rule.matches(host, ports, steps)), None)


def _rules_for(own: Mapping[str, str]) -> tuple[HostRule, ...]:
    """Returns the rules of `provider_hosts`, which are parsed again only when the setting changes."""
    known = _rules.get(id(own))
    if known is None or known[0] is not own:
        _rules.clear()
        known = _rules[id(own)] = own, rules_of(own)
    return known[1]


def _in_table(host: str, port: int | None) -> str | None:
    named = _HOSTS.get(host)
    if named is None:
        named = next((provider for suffix, provider in _SUFFIXES if host.endswith(suffix)), None)
    if named is None:
        named = next((provider for prefix, provider in _PREFIXES if host.startswith(prefix)), None)
    return named or _PORTS.get(port or 0)


def is_named(address: str, port: int, own: Mapping[str, str]) -> bool:
    """Whether the table or `provider_hosts` names a recorded server, at any path; otherwise the provider is the SDK's default.

    `port` is 0 for the scheme's port.
    """
    ports = (port,) if port else tuple(_SCHEMES.values())
    return _in_table(address, port) is not None or any(rule.matches_host(address, ports) for rule in (*_rules_for(own), *_GATEWAYS))


def _log_default(host: str, port: int, default: str) -> None:
    """Logs, once for each host, that the provider is the SDK's default."""
    if not current.runtime.diagnostics.is_first("unnamed host", host, port):
        return
    where = place_of(host, port)
    sentence = "tokentrail: %s is recorded as %s, after the SDK: name the provider with TOKENTRAIL_PROVIDER_HOSTS=%s=…"
    log(logging.INFO, sentence, where, default, where)


def place_of(address: str, port: int) -> str:
    """Returns a server as a key of `provider_hosts`: `llm.internal:8000`, `[::1]:8000`, without the port if the port is 0."""
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else host

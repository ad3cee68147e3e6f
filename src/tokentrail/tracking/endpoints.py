"""The endpoints whose answers are read without an SDK: of each provider, by name. The integrations declare them (`Integration.answers`)."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache

from tokentrail.instrumentation.contract import Endpoint
from tokentrail.instrumentation.registry import integrations
from tokentrail.process.current import current
from tokentrail.providers.table import PROVIDERS

__all__ = ["endpoints_of", "known_providers"]

ANY = "*"
"""The provider under which an integration declares the endpoints of an API that the servers of many providers speak."""


@lru_cache(maxsize=1)
def _declared() -> dict[str, dict[str, tuple[Endpoint, ...]]]:
    declared: dict[str, dict[str, tuple[Endpoint, ...]]] = {}
    for integration in integrations().values():
        for provider, endpoints in integration.answers.items():
            named = declared.setdefault(provider, {})
            for endpoint in endpoints:
                if endpoint not in named.get(endpoint.name, ()):
                    named[endpoint.name] = (*named.get(endpoint.name, ()), endpoint)
    return declared


def known_providers() -> list[str]:
    """Returns the names of the providers: of the table, of integrations, and of the setting `provider_hosts`."""
    names = {provider.name for provider in PROVIDERS} | set(_declared()) | set(current.settings.provider_hosts.values())
    return sorted(names - {ANY})


def endpoints_of(provider: str) -> Mapping[str, tuple[Endpoint, ...]]:
    """Returns the endpoints of a provider by name: its own shapes, then those of the APIs that many speak.

    Raises `ValueError` for an unknown provider.
    """
    if provider not in known_providers():
        near = get_close_matches(provider, known_providers(), 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"there is no provider {provider!r}: {hint}known are {', '.join(known_providers())}; the setting provider_hosts names others"
        )
    own, common = _declared().get(provider, {}), _declared().get(ANY, {})
    return {name: (*own.get(name, ()), *common.get(name, ())) for name in (*own, *(name for name in common if name not in own))}

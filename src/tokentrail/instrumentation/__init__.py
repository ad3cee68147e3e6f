"""Putting the hooks on the providers' SDKs, and taking them off again. The one place that patches anything.

Nothing is imported for it: a module that the application has not imported yet is patched when it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.metadata import distributions, entry_points

from tokentrail import ledger, threads
from tokentrail.forks import no_fork
from tokentrail.instrumentation import patching
from tokentrail.providers import Provider

__all__ = ["ENTRY_POINTS", "clashes", "instrument", "instrumented", "providers", "uninstrument"]

ENTRY_POINTS = "tokentrail.providers"

_lock = threads.RLock()
_on: dict[str, Provider] = {}


def providers() -> dict[str, Provider]:
    """All providers that are installed, by name, tokentrail's own and third parties'. One that cannot be loaded is counted and logged."""
    found: dict[str, Provider] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            provider = point.load()
        except Exception as error:
            ledger.internal_error(f"provider {point.name}", error)
            continue
        if isinstance(provider, Provider):
            found[point.name] = provider
        else:
            ledger.complain(f"the entry point {ENTRY_POINTS}:{point.name} is no tokentrail.providers.Provider and is left out")
    return found


def instrument(providers: Iterable[str] | None = None) -> None:
    """Record what the SDKs of these providers (names; default: all installed) spend. Doing it again changes nothing.

    Raises `ValueError` for a provider that does not exist.
    """
    known = _known()
    names = list(known) if providers is None else [providers] if isinstance(providers, str) else list(providers)
    for name in names:
        if name not in known:
            raise ValueError(f"tokentrail has no provider {name!r}: there are {', '.join(sorted(known))}")
    with _lock:
        for name in names:
            provider = _on.setdefault(name, known[name])
            for hook in provider.hooks:
                patching.put_on(hook)  # again, where another thread was at it when this process was forked


def uninstrument(providers: Iterable[str] | None = None) -> None:
    """Take the hooks of these providers (names; default: all) off: the SDKs' functions are the very objects they were before."""
    with _lock:
        names = list(_on) if providers is None else [providers] if isinstance(providers, str) else list(providers)
        for name in names:
            provider = _on.pop(name, None)
            for hook in provider.hooks if provider is not None else ():
                patching.take_off(hook)


def instrumented() -> dict[str, list[str]]:
    """For each provider whose hooks are armed: the functions that are patched now (none: its SDK is not imported)."""
    with _lock:
        return {name: [f"{hook.module}:{hook.name}" for hook in provider.hooks if patching.is_on(hook)] for name, provider in _on.items()}


def clashes() -> dict[str, list[str]]:
    """For each provider: installed distributions that patch its SDK too. Their spans and metrics tell of the same calls."""
    installed = {(dist.metadata["Name"] or "").lower().replace("_", "-") for dist in distributions()}
    found = {name: [other for other in provider.clashes if other in installed] for name, provider in _known().items()}
    return {name: others for name, others in found.items() if others}


_providers: dict[str, Provider] | None = None


def _known() -> dict[str, Provider]:
    global _providers  # noqa: PLW0603 - reading the entry points of all distributions takes milliseconds
    if _providers is None:
        with no_fork():
            _providers = providers()
    return _providers


def _after_fork_in_child() -> None:
    """The thread that was inside `instrument` at the fork is not there to leave the lock."""
    global _lock  # noqa: PLW0603 - a lock cannot be made anew in its place
    _lock = threads.RLock()


os.register_at_fork(after_in_child=_after_fork_in_child)

"""Putting the hooks on the providers' SDKs, and taking them off again. The one place that patches anything.

Nothing is imported for it: a module that the application has not imported yet is patched when it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import distributions, entry_points

from tokentrail.instrumentation import patching
from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex
from tokentrail.providers import Provider
from tokentrail.recording.runtime import current, internal_error

__all__ = ["ENTRY_POINTS", "clashes", "instrument", "instrumented", "providers", "uninstrument"]

ENTRY_POINTS = "tokentrail.providers"

_mutex = Mutex()
_on: dict[str, Provider] = {}


def providers() -> dict[str, Provider]:
    """All providers that are installed, by name, tokentrail's own and third parties'. One that cannot be loaded is counted and logged."""
    found: dict[str, Provider] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            provider = point.load()
        except Exception as error:
            internal_error(f"provider {point.name}", error)
            continue
        if isinstance(provider, Provider):
            found[point.name] = provider
        else:
            current.runtime.diagnostics.complain(f"the entry point {ENTRY_POINTS}:{point.name} is no tokentrail.providers.Provider and is left out")
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
    with _mutex.lock:
        for name in names:
            provider = _on.setdefault(name, known[name])
            for hook in provider.hooks:
                patching.put_on(hook)  # again, where another thread was at it when this process was forked


def uninstrument(providers: Iterable[str] | None = None) -> None:
    """Take the hooks of these providers (names; default: all) off: the SDKs' functions are the very objects they were before."""
    with _mutex.lock:
        names = list(_on) if providers is None else [providers] if isinstance(providers, str) else list(providers)
        for name in names:
            provider = _on.pop(name, None)
            for hook in provider.hooks if provider is not None else ():
                patching.take_off(hook)


def instrumented() -> dict[str, list[str]]:
    """For each provider whose hooks are armed: the functions that are patched now (none: its SDK is not imported)."""
    with _mutex.lock:
        return {name: [f"{hook.module}:{hook.name}" for hook in provider.hooks if patching.is_on(hook)] for name, provider in _on.items()}


def clashes() -> dict[str, list[str]]:
    """For each provider: installed distributions that patch its SDK too. Their spans and metrics tell of the same calls."""
    installed = {(dist.metadata["Name"] or "").lower().replace("_", "-") for dist in distributions()}
    found = {name: [other for other in provider.clashes if other in installed] for name, provider in _known().items()}
    return {name: others for name, others in found.items() if others}


@lru_cache(maxsize=1)  # reading the entry points of all distributions takes milliseconds
def _known() -> dict[str, Provider]:
    with no_fork():
        return providers()

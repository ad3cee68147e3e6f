"""The installed integrations and their hooks: `instrument()` and `uninstrument()`.

No SDK is imported: a module that the application has not imported yet is patched upon that import.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, distributions, entry_points

from tokentrail.instrumentation import patching
from tokentrail.instrumentation.arrivals import Arrivals
from tokentrail.instrumentation.contract import Integration
from tokentrail.instrumentation.packages import SDKS
from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex
from tokentrail.recording.runtime import current, internal_error

__all__ = ["ENTRY_POINTS", "clashes", "instrument", "instrumented", "integrations", "points", "uninstrument"]

ENTRY_POINTS = "tokentrail.integrations"

mutex = Mutex()
_on: dict[str, EntryPoint] = {}
_loaded: dict[EntryPoint, Integration | None] = {}


def integrations() -> dict[str, Integration]:
    """Returns all installed integrations by name, those of third parties too. An entry point that cannot be loaded is counted and logged."""
    return {name: integration for name, point in points().items() if (integration := _load(point)) is not None}


@lru_cache(maxsize=1)  # reading the entry points of all distributions takes milliseconds
def points() -> dict[str, EntryPoint]:
    """Returns the entry points of the installed integrations by name."""
    with no_fork():
        return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _load(point: EntryPoint) -> Integration | None:
    """Returns the integration of an entry point, which is loaded once; None if the entry point leads to no integration."""
    if point not in _loaded:
        found: object = None
        try:
            with no_fork():
                found = point.load()
        except Exception as error:
            internal_error(f"integration {point.name}", error)
        else:
            if not isinstance(found, Integration):
                current.runtime.diagnostics.complain(
                    f"the entry point {ENTRY_POINTS}:{point.name} is no tokentrail.instrumentation.contract.Integration and is left out"
                )
        _loaded[point] = found if isinstance(found, Integration) else None
    return _loaded[point]


def instrument(integrations: Iterable[str] | None = None) -> None:
    """Records the usage of the SDKs of these integrations (names; default: all installed). A second call changes nothing.

    An integration is loaded when the application imports its SDK; a third party's at once. Raises `ValueError` for an unknown integration.
    """
    installed = points()
    names = list(installed) if integrations is None else [integrations] if isinstance(integrations, str) else list(integrations)
    for name in names:
        if name not in installed:
            raise ValueError(f"tokentrail has no integration {name!r}: there are {', '.join(sorted(installed))}")
    with mutex.lock:
        _carry()
        for name in names:
            _on[name] = installed[name]
            if name in SDKS and _load_later(installed[name]):
                _arrivals.wait(name, SDKS[name])
            else:
                _arm(name)


def _carry() -> None:
    """Carries attribution to the tasks of thread pools, and to one's own services if the settings name any."""
    with no_fork():
        from tokentrail.propagation import hooks  # noqa: PLC0415 - imports the hooks' side of this folder

    hooks.follow_thread_pools()
    if current.settings.baggage_hosts:
        hooks.follow_requests()


def _load_later(point: EntryPoint) -> bool:
    return point.value.startswith("tokentrail.integrations.") and point not in _loaded


def _arm(name: str) -> None:
    """Applies the hooks of an integration, unless the integration was switched off meanwhile."""
    point = _on.get(name)
    integration = _load(point) if point is not None else None
    if point is None or integration is None:
        return
    for hook in integration.hooks:
        patching.apply(hook, integration)  # repeated for known hooks: a fork may have interrupted another thread's `apply`
    if name not in _on:
        _disarm(point)


_arrivals = Arrivals(_arm)


def _disarm(point: EntryPoint) -> None:
    integration = _loaded.get(point)
    for hook in integration.hooks if integration is not None else ():
        patching.remove(hook)


def uninstrument(integrations: Iterable[str] | None = None) -> None:
    """Removes the hooks of these integrations (names; default: all); the SDKs' functions are restored as the same objects.

    Without names, attribution is not carried to thread pools and one's own services any more.
    """
    with mutex.lock:
        if integrations is None and "tokentrail.propagation.hooks" in sys.modules:
            sys.modules["tokentrail.propagation.hooks"].remove()
        names = list(_on) if integrations is None else [integrations] if isinstance(integrations, str) else list(integrations)
        for name in names:
            point = _on.pop(name, None)
            if point is not None:
                _disarm(point)


def instrumented() -> dict[str, list[str]]:
    """Returns, for each instrumented integration, the functions that are patched now (none: the SDK is not imported)."""
    with mutex.lock:
        loaded = {name: _loaded.get(point) for name, point in _on.items()}
        return {
            name: [f"{hook.module}:{hook.name}" for hook in integration.hooks if patching.is_on(hook)] if integration is not None else []
            for name, integration in loaded.items()
        }


def clashes() -> dict[str, list[str]]:
    """Returns, for each integration, the installed distributions that patch the same SDK: their spans and metrics describe the same calls."""
    installed = {(dist.metadata["Name"] or "").lower().replace("_", "-") for dist in distributions()}
    found = {name: [other for other in integration.clashes if other in installed] for name, integration in integrations().items()}
    return {name: others for name, others in found.items() if others}

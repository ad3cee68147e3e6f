"""The installed integrations and their hooks: `instrument()` and `uninstrument()`.

No SDK is imported: a module that the application has not imported yet is patched upon that import.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import distributions, entry_points

from tokentrail.instrumentation import patching
from tokentrail.instrumentation.contract import Integration
from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex
from tokentrail.recording.runtime import current, internal_error

__all__ = ["ENTRY_POINTS", "clashes", "installed_integrations", "instrument", "instrumented", "integrations", "uninstrument"]

ENTRY_POINTS = "tokentrail.integrations"

mutex = Mutex()
_on: dict[str, Integration] = {}


def integrations() -> dict[str, Integration]:
    """Returns all installed integrations by name, those of third parties too. An entry point that cannot be loaded is counted and logged."""
    found: dict[str, Integration] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            integration = point.load()
        except Exception as error:
            internal_error(f"integration {point.name}", error)
            continue
        if isinstance(integration, Integration):
            found[point.name] = integration
        else:
            current.runtime.diagnostics.complain(
                f"the entry point {ENTRY_POINTS}:{point.name} is no tokentrail.instrumentation.contract.Integration and is left out"
            )
    return found


def instrument(integrations: Iterable[str] | None = None) -> None:
    """Records the usage of the SDKs of these integrations (names; default: all installed). A second call changes nothing.

    Raises `ValueError` for an unknown integration.
    """
    installed = installed_integrations()
    names = list(installed) if integrations is None else [integrations] if isinstance(integrations, str) else list(integrations)
    for name in names:
        if name not in installed:
            raise ValueError(f"tokentrail has no integration {name!r}: there are {', '.join(sorted(installed))}")
    with mutex.lock:
        for name in names:
            integration = _on.setdefault(name, installed[name])
            for hook in integration.hooks:
                patching.apply(hook, integration)  # repeated for known hooks: a fork may have interrupted another thread's `apply`


def uninstrument(integrations: Iterable[str] | None = None) -> None:
    """Removes the hooks of these integrations (names; default: all); the SDKs' functions are restored as the same objects."""
    with mutex.lock:
        names = list(_on) if integrations is None else [integrations] if isinstance(integrations, str) else list(integrations)
        for name in names:
            integration = _on.pop(name, None)
            for hook in integration.hooks if integration is not None else ():
                patching.remove(hook)


def instrumented() -> dict[str, list[str]]:
    """Returns, for each instrumented integration, the functions that are patched now (none: the SDK is not imported)."""
    with mutex.lock:
        return {name: [f"{hook.module}:{hook.name}" for hook in integration.hooks if patching.is_on(hook)] for name, integration in _on.items()}


def clashes() -> dict[str, list[str]]:
    """Returns, for each integration, the installed distributions that patch the same SDK: their spans and metrics describe the same calls."""
    installed = {(dist.metadata["Name"] or "").lower().replace("_", "-") for dist in distributions()}
    found = {name: [other for other in integration.clashes if other in installed] for name, integration in installed_integrations().items()}
    return {name: others for name, others in found.items() if others}


@lru_cache(maxsize=1)  # reading the entry points of all distributions takes milliseconds
def installed_integrations() -> dict[str, Integration]:
    """Returns the installed integrations, which are looked up once."""
    with no_fork():
        return integrations()

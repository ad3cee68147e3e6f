"""Checks which provider SDKs are installed, whether their calls are counted, and which other instrumentations exist.

Findings on calls are tested: the SDK makes calls to a listener on this machine, and the recorder counts the calls that reach it (see `probe`).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from tokentrail.doctor.finding import Finding, version_of

if TYPE_CHECKING:
    from tokentrail.instrumentation.contract import Hook, Integration
    from tokentrail.instrumentation.layers import Layers

__all__ = ["check_sdks"]


def check_sdks(*, switch_on: bool = True, only: Collection[str] = ()) -> Iterator[Finding]:
    """Yields findings on provider SDKs: installed versions, whether calls are counted once, and other packages that patch them.

    With `switch_on` hooks that are off are switched on for the check, and switched off afterwards. Without `switch_on`, inside an application's
    process, hooks stay unchanged, and an SDK that the application has not imported is not imported. `only`: the names of some integrations, whose
    SDKs alone are imported and called.
    """
    from tokentrail.instrumentation.registry import instrument, instrumented, integrations, uninstrument  # noqa: PLC0415 - loads wrapt
    from tokentrail.instrumentation.versions import outside  # noqa: PLC0415 - loads the journal

    found = {name: integration for name, integration in integrations().items() if not only or name in only}
    versions = {name: version_of(integration.package) for name, integration in found.items()}
    on_before = set(instrumented())
    if switch_on:
        instrument(found)
    try:
        for name, integration in sorted(found.items()):
            version = versions[name]
            if version is None:
                yield Finding(name, "note", f"the SDK {integration.package} is not installed")
            elif not switch_on and not any(hook.module in sys.modules for hook in integration.hooks):
                yield Finding(name, "note", f"{integration.package} {version} is not imported here")
            elif name not in instrumented():
                yield Finding(name, "wrong", f"{integration.package} {version}: the hooks are off here, calls through it are not counted")
            else:
                yield from _check(integration, f"{integration.package} {version}")
                if sentence := outside(integration):
                    yield Finding(name, "note", sentence)
    finally:
        if switch_on:
            uninstrument(set(instrumented()) - on_before)
    yield from _clashes(found)
    if not any(versions.values()):
        sentence = (
            "no provider SDK is installed in this environment, which is fine where no service runs; `tokentrail doctor -- COMMAND` asks a service's"
        )
        yield Finding("SDKs", "note", f'{sentence} (an SDK comes with pip install "tokentrail[openai]", for example)')


def _clashes(found: Collection[str]) -> Iterator[Finding]:
    """Yields a finding for each SDK that another installed package patches, too."""
    from tokentrail.instrumentation.registry import clashes  # noqa: PLC0415 - loads wrapt

    for name, others in clashes().items():
        if name in found:
            sentence = f"{', '.join(others)}, where switched on, also makes spans and metrics of these calls: dashboards over spans may count twice"
            yield Finding(name, "note", f"{sentence}, the ledger does not, in whatever order they are switched on")


def _check(integration: Integration, sdk: str) -> Iterator[Finding]:
    """Checks one SDK whose hooks are on."""
    from tokentrail.doctor.probe import probe  # noqa: PLC0415 - needs a listener
    from tokentrail.instrumentation.layers import layers_over  # noqa: PLC0415 - loads wrapt

    name = integration.name
    hooks = [hook for hook in integration.hooks if not hook.optional or _has(hook)]
    unpatched = _unpatched(hooks)
    if unpatched:
        yield Finding(name, "wrong", f"{sdk}: {', '.join(unpatched)} cannot be patched, calls through it are not counted")
        return
    layers = list(layers_over(hooks))
    if integration.probe is None:
        yield Finding(name, "ok", f"{sdk}: all {len(hooks)} functions are patched")
    else:
        probed = probe(integration.probe)
        if probed.error is not None:
            error = f"{type(probed.error).__name__}: {probed.error}"
            yield Finding(name, "wrong", f"{sdk}: all {len(hooks)} functions are patched, but a call to a listener here failed: {error}")
        elif probed.counted != probed.calls:
            yield Finding(name, "wrong", f"{sdk}: of {probed.calls} calls to a listener here {probed.counted} were counted{_blame(layers)}")
        else:
            yield Finding(
                name,
                "ok",
                f"{sdk}: all {len(hooks)} functions are patched, {probed.calls} calls to a listener here were counted once each",
            )
    yield from (_finding_of(name, each) for each in layers)


def _blame(layers: Iterable[Layers]) -> str:
    hidden = [f"{each.place} is {', '.join(each.modules)}'s" for each in layers if not each.leads_to_the_function]
    return f": {'; '.join(hidden)}" if hidden else ""


def _finding_of(name: str, layers: Layers) -> Finding:
    whose = ", ".join(layers.modules) or "somebody"
    if layers.leads_to_the_function:
        return Finding(name, "note", f"{layers.place} is wrapped by {whose}, which calls the function that tokentrail has patched")
    return Finding(name, "wrong", f"{layers.place} was replaced by {whose}: the function that tokentrail has patched is not seen behind it")


def _unpatched(hooks: Iterable[Hook]) -> list[str]:
    from tokentrail.instrumentation.patching import is_on  # noqa: PLC0415 - loads wrapt

    missing = [hook for hook in hooks if not _imports(hook.module)] or [hook for hook in hooks if not is_on(hook)]
    return [f"{hook.module}:{hook.name}" for hook in missing]


def _has(hook: Hook) -> bool:
    """Whether this version of the SDK has the hook's function."""
    from tokentrail.instrumentation.patching import is_there  # noqa: PLC0415 - loads wrapt

    return _imports(hook.module) and is_there(hook, sys.modules[hook.module])


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True

"""Which provider SDKs are installed, whether their functions can be patched, and which other distributions patch them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from tokentrail.doctor.finding import Finding, version_of

__all__ = ["check_sdks"]


def check_sdks() -> Iterator[Finding]:
    """Which provider SDKs are there, whether their functions can be patched, and who else patches them."""
    from tokentrail.instrumentation import clashes, instrument, instrumented, providers, uninstrument  # noqa: PLC0415 - loads wrapt

    found = providers()
    versions = {name: version_of(provider.package) for name, provider in found.items()}
    instrument()
    for name, provider in sorted(found.items()):
        version = versions[name]
        if version is None:
            yield Finding(name, "note", f"the SDK {provider.package} is not installed")
            continue
        unpatched = [f"{hook.module}:{hook.name}" for hook in provider.hooks if not _imports(hook.module)]
        unpatched = unpatched or [place for place in (f"{hook.module}:{hook.name}" for hook in provider.hooks) if place not in instrumented()[name]]
        if unpatched:
            yield Finding(name, "wrong", f"{provider.package} {version}: {', '.join(unpatched)} cannot be patched, calls through it are not counted")
        else:
            yield Finding(name, "ok", f"{provider.package} {version}: all {len(provider.hooks)} functions are patched")
    uninstrument()
    for name, others in clashes().items():
        yield Finding(
            name,
            "note",
            f"{', '.join(others)} also makes spans and metrics of these calls: the ledger counts once, dashboards over spans may count twice",
        )
    if not any(versions.values()):
        yield Finding("SDKs", "wrong", 'no provider SDK is installed in this environment: pip install "tokentrail[openai]", for example')


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True

"""Compares the installed version of an SDK with the range that its integration supports, as in `supports=">=1.50,<4"`."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from tokentrail.instrumentation.contract import Integration
from tokentrail.process.current import current

__all__ = ["is_supported", "outside", "warn_if_outside"]


def is_supported(installed_version: str, supports: str) -> bool:
    """Whether a version lies in a range of `>=` and `<`; only release numbers are compared, so 4.0.0b1 is 4.0."""
    has = _numbers(installed_version)
    for bound in filter(None, (part.strip() for part in supports.split(","))):
        reached = _is_at_least(has, _numbers(bound.lstrip("<>=")))
        if (bound.startswith(">=") and not reached) or (bound.startswith("<") and reached):
            return False
    return True


def _numbers(text: str) -> list[int]:
    found = re.match(r"\d+(?:\.\d+)*", text)
    return [int(number) for number in found[0].split(".")] if found else []


def _is_at_least(has: list[int], limit: list[int]) -> bool:
    longest = max(len(has), len(limit))
    return has + [0] * (longest - len(has)) >= limit + [0] * (longest - len(limit))


def outside(integration: Integration) -> str | None:
    """Returns one sentence if the installed version is outside of the range that the integration supports; else None."""
    try:
        found = version(integration.package)
    except PackageNotFoundError:
        return None
    if is_supported(found, integration.supports):
        return None
    return f"{integration.package} {found} is outside of {integration.supports}, the tested versions: calls of new functions may not be counted"


def warn_if_outside(integration: Integration) -> None:
    """Logs that sentence, once for each integration."""
    if not current.runtime.diagnostics.is_first("version", integration.name):
        return
    sentence = outside(integration)
    if sentence is not None:
        current.runtime.diagnostics.complain(sentence, about=f"versions of {integration.name}")

"""Models by several names: which model of a bill a usage of the ledger belongs to.

Providers answer with a dated name (`gpt-4o-2024-08-06`) to whoever asks for an alias (`gpt-4o`), and bill by either; gateways put a prefix before it.
The name that answered comes first, then the one that was asked for, then what both have in common once dates and prefixes are taken off, if that is
one model of the bill alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

__all__ = ["Models", "bare"]

_DATE: Final = re.compile(r"[-@:_](?:\d{4}-\d{2}-\d{2}|20\d{6}|\d{4}|\d{2}-\d{4}|\d{2}-\d{2}|latest|default)$")
_REGION: Final = re.compile(r"^(?:us|eu|apac|global)\.")
_VERSION: Final = re.compile(r"(?:[-@]v\d+)?:\d+$|[-@]v\d+$|[-@]\d{3}$")


def bare(model: str) -> str:
    """Returns a model's name without prefix, date and version, in lower case: `models/gpt-4o-2024-08-06` is `gpt-4o`."""
    name = _REGION.sub("", model.strip().lower().rpartition("/")[2])
    while (shorter := _DATE.sub("", _VERSION.sub("", name))) not in ("", name):
        name = shorter
    return name


class Models:
    """The models of a bill."""

    def __init__(self, names: Iterable[str]) -> None:
        self._lower = {name.lower(): name for name in sorted(names)}
        self._bare: dict[str, list[str]] = defaultdict(list)
        for name in self._lower.values():
            self._bare[bare(name)].append(name)

    def of(self, request_model: str, response_model: str) -> str:
        """Returns the bill's name of a model; where the bill has no such model, the name that answered, or was asked for."""
        if not self._lower:
            return ""  # a bill without models
        for name in (response_model, request_model):
            if name and name.lower() in self._lower:
                return self._lower[name.lower()]
        for name in filter(None, (response_model, request_model)):
            named = self._bare.get(bare(name), [])
            if len(named) == 1:
                return named[0]
        return response_model or request_model

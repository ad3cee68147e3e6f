"""Tells when an application imports an SDK, so that an integration is loaded only where its SDK is: an unused one costs nothing.

A finder on `sys.meta_path` sees each import before it happens and finds nothing itself. The import of a module below the SDK's package counts too:
another thread may have passed the finder with the package just before the wait began.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Arrivals"]


class Arrivals:
    """The integrations that wait for an SDK. `arrived` is called with an integration's name, in the importing thread, once for each `wait`.

    No lock is held: the importing thread holds Python's lock of the module, for which another thread may wait.
    """

    def __init__(self, arrived: Callable[[str], object]) -> None:
        self._arrived = arrived
        self._waiting: dict[str, dict[str, list[str]]] = {}  # by the first step of the package's name: packages, and the integrations of each

    def wait(self, name: str, packages: Iterable[str]) -> None:
        """Calls `arrived` before one of the packages is imported; at once if one is imported already."""
        packages = tuple(packages)
        for package in packages:
            names = self._waiting.setdefault(package.partition(".")[0], {}).setdefault(package, [])
            if name not in names:
                names.append(name)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        for package in packages:
            if package in sys.modules:
                self._pass(package)

    def find_spec(self, module: str, _path: Any = None, _target: Any = None) -> None:
        """Finds nothing; Python calls this method before each import."""
        packages = self._waiting.get(module.partition(".")[0])
        if packages:
            for package in tuple(packages):
                if module == package or module.startswith(f"{package}."):
                    self._pass(package)

    def _pass(self, package: str) -> None:
        for name in self._waiting[package.partition(".")[0]].pop(package, ()):
            self._arrived(name)

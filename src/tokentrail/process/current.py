"""The current settings and runtime of this process. Both are created at first use: importing tokentrail reads no environment variable."""

from __future__ import annotations

import atexit
import logging
import os
from typing import TYPE_CHECKING, Any

from tokentrail.process.diagnostics import log
from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex
from tokentrail.settings import Settings, check_url, from_environment

if TYPE_CHECKING:
    from tokentrail.recording.runtime import Runtime

__all__ = ["Current", "current"]


class Current:
    """The current `settings` of a process, and the `runtime` that uses these settings."""

    settings: Settings
    runtime: Runtime

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._closes_at_exit = False

    def __getattr__(self, name: str) -> Any:
        """Creates `settings` or `runtime` at first use."""
        if name == "settings":
            with self._mutex.lock:
                if "settings" not in vars(self):
                    made = from_environment(os.environ, lambda sentence: log(logging.WARNING, "tokentrail: %s; it is left out", sentence))
                    vars(self).setdefault("settings", made)  # a signal handler may have created the settings meanwhile
        elif name == "runtime":
            with no_fork():
                from tokentrail.recording.runtime import Runtime  # noqa: PLC0415 - a process that only counts texts or reads settings needs no runtime
            with self._mutex.lock:
                if "runtime" not in vars(self):
                    made = vars(self).setdefault("runtime", Runtime(self.settings))
                    if made.settings is not self.settings:  # a signal handler has changed the settings meanwhile
                        made.renew(self.settings)
        else:
            raise AttributeError(name)
        return vars(self)[name]

    def existing_runtime(self) -> Runtime | None:
        """Returns the runtime if the process has one already."""
        return vars(self).get("runtime")

    def put(self, runtime: Runtime) -> None:
        """Makes a runtime current, with its settings."""
        self.runtime, self.settings = runtime, runtime.settings

    def configure(self, changes: dict[str, Any]) -> Settings:
        """Changes settings by name. Raises `ValueError` or `TypeError` with one sentence; no setting is changed then."""
        with self._mutex.lock:
            changed = self.settings.with_(**changes)
            if "endpoint" in changes and changed.protocol == "http/protobuf":  # checked after the change, which may include the protocol
                check_url(changed.endpoint)
            self.settings = changed
            runtime = self.existing_runtime()
            if runtime is not None:
                runtime.renew(changed)
        if changes.get("baggage_hosts"):
            _follow_requests()
        return changed

    def close_at_exit(self) -> None:
        """Registers `close_at_exit` of `tokentrail.recording.runtime` a second time, after that at import; see the reason there."""
        with self._mutex.lock:
            first, self._closes_at_exit = not self._closes_at_exit, True
        if first:
            from tokentrail.recording.runtime import close_at_exit  # noqa: PLC0415 - loaded already, since a writer starts

            atexit.register(close_at_exit)


def _follow_requests() -> None:
    with no_fork():
        from tokentrail.propagation.hooks import follow_requests  # noqa: PLC0415 - only for services that name other services of their own

    follow_requests()


current = Current()

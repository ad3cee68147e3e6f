"""The settings and the runtime in force in this process. Both are made at first use: importing tokentrail reads no variable of the environment."""

from __future__ import annotations

import atexit
import logging
import os
from typing import TYPE_CHECKING, Any

from tokentrail.process.forks import no_fork
from tokentrail.process.mutexes import Mutex
from tokentrail.settings import Settings, check_url, from_environment

if TYPE_CHECKING:
    from tokentrail.recording.runtime import Runtime

__all__ = ["Current", "current"]

logger = logging.getLogger("tokentrail")


class Current:
    """The one place where a process keeps what is in force: `settings`, and `runtime`, which is built on them."""

    settings: Settings
    runtime: Runtime

    def __init__(self) -> None:
        self._mutex = Mutex()
        self._closes_at_exit = False

    def __getattr__(self, name: str) -> Any:
        """Make what is not there yet."""
        if name == "settings":
            with self._mutex.lock:
                if "settings" not in vars(self):
                    made = from_environment(os.environ, lambda sentence: logger.warning("tokentrail: %s; it is left out", sentence))
                    vars(self).setdefault("settings", made)  # a signal handler amid it may have made them too
        elif name == "runtime":
            with no_fork():
                from tokentrail.recording.runtime import Runtime  # noqa: PLC0415 - whoever only counts texts or reads settings needs none
            with self._mutex.lock:
                if "runtime" not in vars(self):
                    made = vars(self).setdefault("runtime", Runtime(self.settings))
                    if made.settings is not self.settings:  # a signal handler has changed them meanwhile
                        made.renew(self.settings)
        else:
            raise AttributeError(name)
        return vars(self)[name]

    def made(self) -> Runtime | None:
        """The runtime, if it is made already."""
        return vars(self).get("runtime")

    def put(self, runtime: Runtime) -> None:
        """Put a runtime in force, with its settings."""
        self.runtime, self.settings = runtime, runtime.settings

    def configure(self, changes: dict[str, Any]) -> Settings:
        """Change settings by name. Raises `ValueError` or `TypeError` with one sentence; nothing is changed then."""
        with self._mutex.lock:
            changed = self.settings.with_(**changes)
            if "endpoint" in changes and changed.protocol == "http/protobuf":  # only now: the protocol may be among the changes
                check_url(changed.endpoint)
            self.settings = changed
            runtime = self.made()
            if runtime is not None:
                runtime.renew(changed)
        return changed

    def close_at_exit(self) -> None:
        """Have the runtime closed at the process's end, once more than at its import; see `tokentrail.recording.runtime`."""
        with self._mutex.lock:
            first, self._closes_at_exit = not self._closes_at_exit, True
        if first:
            from tokentrail.recording.runtime import close_at_exit  # noqa: PLC0415 - loaded: a writer begins

            atexit.register(close_at_exit)


current = Current()

"""The API for tests of applications: recorded provider answers over HTTP, and the usages that a test recorded.

The pytest fixtures `tokentrail_usages` and `tokentrail_replay` exist as soon as tokentrail is installed (see `pytest_plugin`). Modules are imported
at first use, because pytest imports the plugin in every run of every project that has tokentrail installed.

| file | holds |
|---|---|
| `pytest_plugin.py` | the two fixtures |
| `usages.py` | `Usages` and `collect_usages`: recorded usages, in memory |
| `replay.py` | `ReplayServer`: an HTTP server of recorded answers |
| `recording.py` | `Recording`: one recorded exchange |
| `shelf.py` | finds the recording for a request |
| `faults.py` | faults of replayed answers |
| `exactness.py` | a command: how exactly recorded bodies are read |
| `conformance/` | what the author of an integration runs |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokentrail.testing.faults import Faults, Served
    from tokentrail.testing.recording import Recording, read_recordings
    from tokentrail.testing.replay import ReplayServer
    from tokentrail.testing.usages import Usages, collect_usages

__all__ = ["Faults", "Recording", "ReplayServer", "Served", "Usages", "collect_usages", "read_recordings"]

_HOME = {
    "Faults": "faults",
    "Recording": "recording",
    "ReplayServer": "replay",
    "Served": "faults",
    "Usages": "usages",
    "collect_usages": "usages",
    "read_recordings": "recording",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - imported at first use

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

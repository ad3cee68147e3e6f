"""Replays the shipped recordings of a package through the SDK that is on the path: `python -m tests.support.oldest openai openai`.

The arguments are an integration's name and the recordings' providers. Prints one line of JSON: how many recordings were exact, sync and async, what
differs, and what this version of the SDK cannot ask, with its reason.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

SDKS = ("anthropic", "aiobotocore.session", "aiobotocore.config", "cohere", "groq", "ollama", "openai", "google.genai", "google.genai.errors")


class Absent(ModuleType):
    """Another package's SDK, which cannot be imported beside the oldest one: its exceptions are never raised."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


def stand_in_for_absent_sdks() -> None:
    """Puts a module in place of each SDK that cannot be imported here."""
    for sdk in SDKS:
        try:
            importlib.import_module(sdk)
        except Exception:
            sys.modules[sdk] = Absent(sdk)
            parent, _, child = sdk.rpartition(".")
            if parent:
                setattr(sys.modules.setdefault(parent, Absent(parent)), child, sys.modules[sdk])


def main(name: str, *providers: str) -> dict[str, Any]:
    """Replays the recordings of these providers."""
    warnings.simplefilter("ignore")
    stand_in_for_absent_sdks()
    from tests.support.recordings import ask, ask_async, error_types, url_of
    from tokentrail.instrumentation.registry import instrument
    from tokentrail.process.configure import configure
    from tokentrail.testing import ReplayServer, collect_usages
    from tokentrail.testing.exactness import differences

    instrument()
    found: dict[str, Any] = {"exact": 0, "differs": {}, "not asked": {}}
    with ReplayServer(providers=providers) as server:
        for recording in server.recordings.values():
            if recording.endpoint == "live":
                continue  # over a websocket
            configure(provider_hosts={f"127.0.0.1:{server.port}": recording.provider}, estimate=False)
            ways: dict[str, Callable[[], Any]] = {
                "sync": lambda recording=recording: ask(recording, url_of(server, recording)),
                "async": lambda recording=recording: asyncio.run(ask_async(recording, url_of(server, recording))),
            }
            for way, asks in ways.items():
                if (name, way) in {("botocore", "async"), ("aiobotocore", "sync")}:
                    continue
                reason = ""
                with collect_usages() as usages:
                    try:
                        asks()
                    except error_types():
                        pass  # the recording's own error
                    except Exception as error:
                        reason = f"{type(error).__name__}: {error}"
                if reason:
                    found["not asked"][f"{recording.id} {way}"] = reason[:160]
                elif wrong := differences(usages.recorded, recording):
                    found["differs"][f"{recording.id} {way}"] = wrong
                else:
                    found["exact"] += 1
    return found


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")

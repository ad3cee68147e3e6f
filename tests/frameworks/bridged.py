"""Calls the SDKs under another instrumentation, with the bridge installed; prints each recording's rows in the journal.

`python -m tests.frameworks.bridged NAME alone PROVIDER …`, in an environment that has the other instrumentation: `alone` without tokentrail's own hooks,
`ours` beside them. Every answer is a shipped recording, over HTTP. TRACES=none drops every span; what is left are events.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

import tokentrail
import tokentrail.bridge
from tests.frameworks.peers import switch_on
from tests.support.recordings import ask
from tokentrail.journal import folder as layout
from tokentrail.journal.reader import read
from tokentrail.process.current import current
from tokentrail.testing import ReplayServer
from tokentrail.usage import Usage

for word in ("PUBLIC_KEY", "SECRET_KEY"):
    os.environ.setdefault(f"LANGFUSE_{word}", "none")  # langfuse makes no spans without them
os.environ.setdefault("LANGFUSE_BASE_URL", "http://127.0.0.1:9")
SETS_UP_ITSELF = ("logfire", "openlit")
"""Instrumentations that set the program's TracerProvider."""


class Journal:
    """The usages in this process's journal, as they come."""

    def __init__(self) -> None:
        self._seen = 0

    def rows(self) -> list[dict[str, Any]]:
        """The usages since the last time."""
        found = (
            found.record for folder in layout.writer_folders(Path(current.settings.journal_dir)) for found in read(folder, layout.Cursor(), live=True)
        )
        new = list(islice((usage for usage in found if isinstance(usage, Usage)), self._seen, None))
        self._seen += len(new)
        return [usage.as_dict() for usage in new]


def main(name: str, mode: str, providers: Sequence[str]) -> None:
    logging.disable(logging.CRITICAL)
    if name not in SETS_UP_ITSELF:
        trace.set_tracer_provider(TracerProvider(sampler=ALWAYS_OFF if os.environ.get("TRACES") == "none" else ALWAYS_ON))
        set_logger_provider(LoggerProvider())
    switch_on(name)
    assert tokentrail.bridge.install()
    if mode == "ours":
        tokentrail.instrument()
    journal = Journal()
    told: dict[str, Any] = {}
    with ReplayServer(providers=providers) as server:
        gc.collect()
        gc.freeze()
        for recording in server.recordings.values():
            raised = ""
            try:
                ask(recording, server.url(recording.provider, recording=recording.id))
            except Exception as error:
                raised = f"{type(error).__name__}: {error}"[:200]
            gc.collect()
            current.runtime.deferred.drain(30.0)  # what a finalizer records, a thread writes
            told[recording.id] = {"rows": journal.rows(), "raised": raised}
    print(json.dumps({"told": told, "internal errors": dict(current.runtime.diagnostics.internal_errors)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

"""ollama's SDK keeps every promise."""

from __future__ import annotations

from typing import Any

import ollama

from tests.support.planted import KEY
from tests.support.recordings import method_of
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance

RECORDINGS = [recording for recording in read_recordings(providers=["ollama"]) if recording.path.startswith("/api/")]


class TestOllama(Conformance):
    integration = "ollama"
    key = KEY
    recordings = RECORDINGS
    retries = 0

    def client(self, url: str, case: Case) -> Any:
        return (ollama.AsyncClient if case.asynchronous else ollama.Client)(host=url, timeout=20, headers={"authorization": f"Bearer {self.key}"})

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = method_of(client, case.recording)
        return method(**arguments)

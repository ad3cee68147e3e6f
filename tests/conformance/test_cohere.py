"""cohere keeps every promise, in both versions of the API."""

from __future__ import annotations

from typing import Any

from tests.support.planted import KEY
from tests.support.recordings import cohere_client, cohere_method_of
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance


class TestCohere(Conformance):
    integration = "cohere"
    key = KEY
    retries_streams = False
    calls_per_call = 200  # the texts of several inputs
    recordings = read_recordings(providers=["cohere"])

    def client(self, url: str, case: Case) -> Any:
        return cohere_client(case.recording, url, asynchronous=case.asynchronous)

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = cohere_method_of(client, case.recording)
        arguments["request_options"]["max_retries"] = case.retries
        return method(**arguments)

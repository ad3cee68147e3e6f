"""Azure's SDK for models of any provider keeps every promise."""

from __future__ import annotations

from typing import Any

from tests.support.planted import KEY
from tests.support.provider_sdks import ask_method, asks_for, client_for
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance

RECORDINGS = [recording for recording in read_recordings(providers=["azure_ai"]) if asks_for(recording)]


class TestAzureAIInference(Conformance):
    integration = "azure-ai-inference"
    key = KEY
    recordings = RECORDINGS

    def client(self, url: str, case: Case) -> Any:
        return client_for(case.recording, url, asynchronous=case.asynchronous, retry_total=case.retries, retry_backoff_factor=0)

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = ask_method(client, case.recording)
        return method(**arguments)

"""The SDKs of single providers keep the promises of calls: exact counts, one row, the same for the caller, bad answers harm nobody, nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.provider_sdks import STAINLESS, ask_method, asks_for, client_for, client_of, is_there
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case
from tokentrail.testing.conformance.promises_of_calls import PromisesOfCalls


def recordings_of(provider: str) -> list[Recording]:
    return [each for each in read_recordings(providers=[provider]) if is_there(provider, each.endpoint) and asks_for(each)]


class OfOneProvider(PromisesOfCalls):
    """What is said of each SDK."""

    def client(self, url: str, case: Case) -> Any:
        if case.recording.provider in STAINLESS:
            return client_of(case.recording.provider, url, asynchronous=case.asynchronous)
        return client_for(case.recording, url, asynchronous=case.asynchronous)

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = ask_method(client, case.recording)
        return method(**arguments)


@pytest.mark.skipif(not is_there("azure_ai"), reason="its SDK is not installed")
class TestAzureAIInference(OfOneProvider):
    integration = "azure-ai-inference"
    recordings = recordings_of("azure_ai")


@pytest.mark.skipif(not is_there("cerebras"), reason="its SDK is not installed")
class TestCerebras(OfOneProvider):
    integration = "cerebras-cloud-sdk"
    recordings = recordings_of("cerebras")


@pytest.mark.skipif(not is_there("fireworks"), reason="its SDK is not installed")
class TestFireworks(OfOneProvider):
    integration = "fireworks-ai"
    recordings = recordings_of("fireworks")


@pytest.mark.skipif(not is_there("openrouter"), reason="its SDK is not installed")
class TestOpenRouter(OfOneProvider):
    integration = "openrouter"
    recordings = recordings_of("openrouter")


@pytest.mark.skipif(not is_there("together"), reason="its SDK is not installed")
class TestTogether(OfOneProvider):
    integration = "together"
    recordings = recordings_of("together")


@pytest.mark.skipif(not is_there("writer"), reason="its SDK is not installed")
class TestWriter(OfOneProvider):
    integration = "writer-sdk"
    recordings = recordings_of("writer")
    adds_to_requests = ("stream_options",)

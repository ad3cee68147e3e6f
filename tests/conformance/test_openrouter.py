"""OpenRouter's SDK keeps every promise."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tests.support.planted import KEY
from tests.support.provider_sdks import ask_method, client_for
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance


class TestOpenRouter(Conformance):
    integration = "openrouter"
    key = KEY
    recordings = read_recordings(providers=["openrouter"])

    def client(self, url: str, case: Case) -> Any:
        retries = retry_at_once() if case.retries else None
        return client_for(case.recording, url, asynchronous=case.asynchronous, retry_config=retries)

    def ask(self, client: Any, case: Case) -> Any:
        method, arguments = ask_method(client, case.recording)
        return method(**arguments)


def retry_at_once() -> Any:
    """Two further tries, without a wait that a test would notice."""
    retries = import_module("openrouter.utils.retries")
    return retries.RetryConfig("backoff", retries.BackoffStrategy(1, 5, 1.0, 10_000), retry_connection_errors=True)

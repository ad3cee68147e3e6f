"""mistralai keeps every promise."""

from __future__ import annotations

from typing import Any

from tests.support.mistral import arguments_for, method_for, mistral_client, retry_at_once
from tests.support.planted import KEY
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance


class TestMistral(Conformance):
    integration = "mistralai"
    key = KEY
    recordings = read_recordings(providers=["mistral"])

    def client(self, url: str, case: Case) -> Any:
        more = {"retry_config": retry_at_once()} if case.retries else {}
        return mistral_client(url, asynchronous=case.asynchronous, **more)

    def ask(self, client: Any, case: Case) -> Any:
        method = method_for(client, case.recording.path, stream=case.stream)
        return method(**arguments_for(method, case.recording.path, case.request))

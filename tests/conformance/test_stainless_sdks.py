"""The SDKs of single providers that Stainless generates keep every promise: cerebras-cloud-sdk, fireworks-ai, writer-sdk, and together where it installs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.planted import KEY
from tests.support.provider_sdks import ask_method, client_of, is_there
from tests.support.stainless import ask_in_style, styles_of_stainless
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance


class OfStainless(Conformance):
    key = KEY

    def client(self, url: str, case: Case) -> Any:
        return client_of(case.recording.provider, url, asynchronous=case.asynchronous, max_retries=case.retries)

    def ask(self, client: Any, case: Case) -> Any:
        return ask_in_style(ask_method, client, case)

    def styles_of(self, recording: Recording) -> Sequence[str]:
        return styles_of_stainless(recording)


class TestCerebras(OfStainless):
    integration = "cerebras-cloud-sdk"
    recordings = read_recordings(providers=["cerebras"])


class TestFireworks(OfStainless):
    integration = "fireworks-ai"
    recordings = read_recordings(providers=["fireworks"])


class TestWriter(OfStainless):
    integration = "writer-sdk"
    recordings = read_recordings(providers=["writer"])
    adds_to_requests = ("stream_options",)


@pytest.mark.skipif(not is_there("together"), reason="make test-together installs it")
class TestTogether(OfStainless):
    integration = "together"
    recordings = read_recordings(providers=["together"])

"""openai's SDK keeps every promise, also for Ollama's paths in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import openai

from tests.support.planted import KEY
from tests.support.recordings import method_of
from tests.support.stainless import ask_in_style, styles_of_stainless
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance import Case, Conformance

RECORDINGS = [
    recording
    for recording in read_recordings(providers=["openai", "ollama"])
    if not recording.path.startswith("/api/") and (hasattr(openai.OpenAI, "responses") or not recording.endpoint.startswith("responses"))
]


class TestOpenAI(Conformance):
    integration = "openai"
    key = KEY
    recordings = RECORDINGS
    adds_to_requests = ("stream_options",)

    def client(self, url: str, case: Case) -> Any:
        kind = openai.AsyncOpenAI if case.asynchronous else openai.OpenAI
        return kind(base_url=f"{url}/v1", api_key=self.key, max_retries=case.retries, timeout=20)

    def ask(self, client: Any, case: Case) -> Any:
        return ask_in_style(method_of, client, case)

    def styles_of(self, recording: Recording) -> Sequence[str]:
        return styles_of_stainless(recording)

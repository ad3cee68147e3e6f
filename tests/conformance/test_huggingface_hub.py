"""Hugging Face's SDK keeps every promise: chats, generated text and vectors; the server of a test is the model's own."""

from __future__ import annotations

from typing import Any

from huggingface_hub import AsyncInferenceClient, InferenceClient

from tests.support.planted import KEY
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance


class TestHuggingFace(Conformance):
    integration = "huggingface_hub"
    key = KEY
    recordings = read_recordings(providers=["huggingface"])
    retries = 0
    adds_to_requests = ("stream_options",)

    def client(self, url: str, case: Case) -> Any:
        kind = AsyncInferenceClient if case.asynchronous else InferenceClient
        place = {"base_url": url} if case.recording.endpoint == "chat" else {"model": url}
        return kind(**place, token=self.key, timeout=20)

    def ask(self, client: Any, case: Case) -> Any:
        given = case.request
        if case.recording.endpoint == "chat":
            tools = {name: given[name] for name in ("tools", "tool_choice") if given.get(name)}
            return client.chat_completion(given["messages"], model=given["model"], stream=case.stream, **tools)
        if case.recording.endpoint == "embeddings":
            return client.feature_extraction(given["inputs"])
        return client.text_generation(given["inputs"], stream=case.stream, details=True)

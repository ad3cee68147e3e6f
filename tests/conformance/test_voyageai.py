"""Voyage's SDK keeps every promise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.planted import KEY
from tokentrail.testing import read_recordings
from tokentrail.testing.conformance import Case, Conformance

voyageai = pytest.importorskip("voyageai", reason="make test-apart installs it")


class TestVoyage(Conformance):
    integration = "voyageai"
    key = KEY
    recordings = read_recordings(providers=["voyage"])
    retries = 1  # the SDK waits for a second and more before each

    def client(self, url: str, case: Case) -> Any:
        kind = voyageai.AsyncClient if case.asynchronous else voyageai.Client
        tries = case.retries + 1 if case.retries else 0
        return kind(api_key=self.key, base_url=f"{url}/v1", max_retries=tries, timeout=20)

    def ask(self, client: Any, case: Case) -> Any:
        given, path = case.request, case.recording.path
        if path.endswith("/rerank"):
            return client.rerank(given["query"], given["documents"], given["model"])
        if path.endswith("/contextualizedembeddings"):
            return client.contextualized_embed(given["inputs"], given["model"])
        if path.endswith("/multimodalembeddings"):
            return client.multimodal_embed(given["inputs"], given["model"])
        return client.embed(given["input"], given["model"])

"""IBM's SDK keeps every promise, for answers as its API reference shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.watsonx import CHAT, EMBEDDED, GENERATED, RANKED, chat_events, events, generation_events, model_of
from tokentrail.testing import Recording
from tokentrail.testing.conformance import Case, Conformance

pytest.importorskip("ibm_watsonx_ai", reason="make test-apart installs it")

from ibm_watsonx_ai.foundation_models import Embeddings, Rerank

from tests.support.planted import KEY

Usage = Mapping[str, Any]


def answer_of(name: str, body: Any, usage: Usage) -> Recording:
    return _recording(name, json.dumps(body).encode(), "json", usage)


def stream_of(name: str, values: Sequence[Any], usage: Usage) -> Recording:
    return _recording(f"{name}_stream", b"".join(events(values)), "sse", usage)


def _recording(name: str, body: bytes, shape: str, usage: Usage) -> Recording:
    return Recording(
        id=f"watsonx-{name}",
        provider="ibm.watsonx.ai",
        endpoint=str(usage["endpoint"]),
        method="POST",
        path=f"/ml/v1/text/{name}",
        request={},
        stream=shape == "sse",
        status=200,
        headers={},
        shape=shape,
        body=body,
        expected={},
        expected_totals=None,
        flags={"error": False},
        expected_usages=[{"provider": "ibm.watsonx.ai", "ended": "complete", "error_type": "", **usage}],
    )


CHATTED = {"endpoint": "chat", "input_tokens": 24, "output_tokens": 9, "response_model": "ibm/granite-3-8b-instruct"}
RECORDINGS = [
    answer_of("chat", CHAT, CHATTED),
    stream_of("chat", chat_events(), CHATTED),
    answer_of("generation", GENERATED, {"endpoint": "generate", "input_tokens": 7, "output_tokens": 12}),
    stream_of("generation", generation_events(), {"endpoint": "generate", "input_tokens": 7, "output_tokens": 3}),
    answer_of("embeddings", EMBEDDED, {"endpoint": "embeddings", "input_tokens": 11, "output_tokens": None}),
    answer_of("rerank", RANKED, {"endpoint": "rerank", "input_tokens": 31, "output_tokens": None}),
]
METHODS = {
    "chat": "chat",
    "chat_stream": "chat_stream",
    "generation": "generate",
    "generation_stream": "generate_text_stream",
    "embeddings": "generate",
    "rerank": "generate",
}
ASYNC_METHODS = METHODS | {"generation_stream": "generate_stream"}
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "chat": ([{"role": "user", "content": "lorem"}],),
    "chat_stream": ([{"role": "user", "content": "lorem"}],),
    "embeddings": (["lorem"],),
    "rerank": ("lorem", ["ipsum", "dolor"]),
}


class TestWatsonx(Conformance):
    integration = "ibm-watsonx-ai"
    key = KEY
    recordings = RECORDINGS
    retries = 1
    retries_streams = False

    def kinds_of(self, recording: Recording) -> Sequence[str]:
        return ("sync",) if recording.endpoint == "rerank" else self.kinds

    def client(self, url: str, case: Case) -> Any:
        return model_of(url, retries=case.retries)

    def ask(self, client: Any, case: Case) -> Any:
        name = case.recording.path.rpartition("/")[2]
        kinds = {"embeddings": Embeddings, "rerank": Rerank}
        owner = kinds[name](model_id="ibm/lorem", api_client=client._client) if name in kinds else client
        method = f"a{ASYNC_METHODS[name]}" if case.asynchronous else METHODS[name]
        more = {"raw_response": True} if name == "generation_stream" and not case.asynchronous else {}
        return getattr(owner, method)(*ARGUMENTS.get(name, ("lorem",)), **more)

"""IBM's SDK against a server of a test, and answers as its API reference shows them (cloud.ibm.com/apidocs/watsonx-ai)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.support.planted import KEY

HEAD = {"model_id": "ibm/granite-3-8b-instruct", "created_at": "2026-01-02T03:04:05.678Z"}
USAGE = {"prompt_tokens": 24, "completion_tokens": 9, "total_tokens": 33}
CHAT = {
    "id": "chatcmpl-a1",
    "object": "chat.completion",
    **HEAD,
    "model": "ibm/granite-3-8b-instruct",
    "created": 1767323045,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "lorem"}, "finish_reason": "stop"}],
    "usage": USAGE,
    "system": {"warnings": [{"message": "lorem ipsum", "id": "disclaimer_warning"}]},
}
GENERATED = {
    **HEAD,
    "results": [{"generated_text": "lorem", "generated_token_count": 12, "input_token_count": 7, "stop_reason": "eos_token"}],
}
EMBEDDED = {**HEAD, "model_id": "ibm/slate-125m", "results": [{"embedding": [0.5, 0.25]}], "input_token_count": 11}
RANKED = {**HEAD, "model_id": "cross-encoder/ms", "results": [{"index": 0, "score": 0.75}], "input_token_count": 31}
ERROR = {"errors": [{"code": "model_not_supported", "message": "lorem ipsum"}], "trace": "a1", "status_code": 404}
BUSY = (429, {"errors": [{"code": "rate_limit_reached_requests", "message": "lorem ipsum"}], "trace": "a1", "status_code": 429})


def events(values: Iterable[Any], *, failed: bool = False) -> list[bytes]:
    """Events as watsonx.ai sends them; with `failed` the last one is an error."""
    values = list(values)
    names = ["message"] * (len(values) - failed) + ["error"] * failed
    return [f"id: {n}\nevent: {name}\ndata: {json.dumps(each)}\n\n".encode() for n, (name, each) in enumerate(zip(names, values, strict=True), 1)]


def chat_events() -> list[dict[str, Any]]:
    """A stream of a chat: a role, two texts, the reason, and the usage."""
    head = {"id": "chatcmpl-a1", **HEAD, "model": "ibm/granite-3-8b-instruct", "created": 1767323045}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "finish_reason": reason, "delta": delta}]}

    deltas = ({"role": "assistant", "content": ""}, {"content": "lorem"}, {"content": " ipsum"})
    return [*map(chunk, deltas), chunk({"content": ""}, "stop"), {**head, "choices": [], "usage": USAGE}]


def generation_events() -> list[dict[str, Any]]:
    """A stream of generated text: the input's count in one event only, the output's count goes up."""

    def event(text: str, made: int, given: int, reason: str) -> dict[str, Any]:
        result = {"generated_text": text, "generated_token_count": made, "input_token_count": given, "stop_reason": reason}
        return {**HEAD, "results": [result]}

    return [
        event("", 0, 7, "not_finished"),
        event("lorem", 1, 0, "not_finished"),
        event(" ipsum", 2, 0, "not_finished"),
        event("", 3, 0, "max_tokens"),
    ]


def client_of(url: str, **given: Any) -> Any:
    """A client that asks a server of a test. The SDK takes https only, so the address is replaced after the client is made."""
    from ibm_watsonx_ai import APIClient, Credentials

    client = APIClient(Credentials(url="https://us-south.ml.cloud.ibm.com", token=KEY), **given)
    client.default_project_id = "a1"
    client._href_definitions.url = url
    return client


def model_of(url: str, *, retries: int = 1, **given: Any) -> Any:
    """A model of such a client, which tries again at once."""
    from ibm_watsonx_ai.foundation_models import ModelInference

    return ModelInference(model_id="ibm/granite", api_client=client_of(url, **given), validate=False, max_retries=retries, delay_time=0.001)

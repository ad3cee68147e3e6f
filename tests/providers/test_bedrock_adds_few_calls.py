"""How many function calls the hooks add to a call of Bedrock, without what the recorder does then. Counted, not timed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from tests.support.bedrock import HELLO, chunks, client_of, conversation, conversed
from tests.support.calls import SilentCall, count_added_calls
from tokentrail.recording import recorder

ASK: dict[str, Any] = {"modelId": "amazon.nova-lite-v1:0", "messages": HELLO}


class Raw(HTTPResponse):
    """An answer that gives one part each time."""

    def __init__(self, parts: list[bytes]) -> None:
        super().__init__(body=b"".join(parts), preload_content=False)
        self.parts = parts

    def stream(self, *_: Any, **__: Any) -> Any:
        return iter(self.parts)


def client_that_gets(parts: list[bytes]) -> Any:
    """No socket: how a body is cut into packets would change the count."""
    client = client_of("http://127.0.0.1:9")

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {"x-amzn-requestid": "f00"}, Raw(parts))

    client.meta.events.register("before-send.bedrock-runtime", answer)
    return client


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    call = SilentCall()
    monkeypatch.setattr(recorder, "start", lambda _request: call)


def test_converse() -> None:
    client = client_that_gets([json.dumps(conversed()).encode()])
    assert count_added_calls(lambda: client.converse(**ASK)) <= 40


def test_another_service_costs_nearly_nothing() -> None:
    client = client_that_gets([b'{"inputTokens": 5}'])
    assert count_added_calls(lambda: client.count_tokens(modelId="a", input={"converse": {"messages": HELLO}})) <= 12


def test_each_event_of_converse_stream() -> None:
    def of(number: int) -> int:
        client = client_that_gets(conversation(*["lorem"] * number))
        return count_added_calls(lambda: list(client.converse_stream(**ASK)["stream"]))

    assert of(150) - of(50) <= 3 * 100


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lorem"}},
        {"contentBlockDelta": {"delta": {"text": "lorem"}, "contentBlockIndex": 0}},
        {"generation": "lorem", "prompt_token_count": None, "generation_token_count": 1, "stop_reason": None},
    ],
)
def test_each_chunk_of_a_model(chunk: dict[str, Any]) -> None:
    def of(number: int) -> int:
        client = client_that_gets(chunks(*[chunk] * number))
        return count_added_calls(lambda: list(client.invoke_model_with_response_stream(modelId="a.b", body="{}")["body"]))

    assert of(150) - of(50) <= 3 * 100

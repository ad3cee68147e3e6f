"""A guard against regression: how many function calls the hooks themselves add, without what the recorder does then. Counted, not timed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.support import cohere
from tests.support.calls import SilentCall, count_added_calls
from tests.support.scripted import chunks, completion, sse
from tokentrail.recording import recorder

http = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx
ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "system", "content": "abc"}, {"role": "user", "content": "def"}]}


def client_of(answer: bytes, kind: str) -> openai.OpenAI:
    """No socket: how a body is cut into packets would change the count."""
    headers = {"content-type": kind}
    transport = http.MockTransport(lambda _request: http.Response(200, headers=headers, content=answer))
    return openai.OpenAI(api_key="none", base_url="https://api.openai.com/v1", http_client=http.Client(transport=transport))


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    call = SilentCall()
    monkeypatch.setattr(recorder, "start", lambda _request: call)


def test_chat() -> None:
    client = client_of(json.dumps(completion()).encode(), "application/json")
    assert count_added_calls(lambda: client.chat.completions.create(**ASK)) <= 35


def test_embeddings() -> None:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    answer = {"object": "list", "model": "text-embedding-3-small", "data": data, "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    client = client_of(json.dumps(answer).encode(), "application/json")
    assert count_added_calls(lambda: client.embeddings.create(model="text-embedding-3-small", input="abc", encoding_format="float")) <= 35


@pytest.mark.parametrize("asks", [True, False])
def test_each_chunk(asks: bool) -> None:
    given = {"stream_options": {"include_usage": True}} if asks else {"stream_options": {}}  # who decided is not asked

    def of(number: int) -> int:
        client = client_of(b"".join(sse(chunks(*["lorem"] * number, usage=asks))), "text/event-stream")
        return count_added_calls(lambda: list(client.chat.completions.create(**ASK, stream=True, **given)))

    few, many = of(50), of(150)
    assert many - few <= 2 * 100
    assert few <= 185


def test_each_chunk_of_a_stream_that_is_asked_for_its_usage() -> None:
    """The caller has not asked: the usage is removed from each chunk, and the last one is hidden."""

    def of(number: int) -> int:
        client = client_of(b"".join(sse(chunks(*["lorem"] * number, usage=True))), "text/event-stream")
        return count_added_calls(lambda: list(client.chat.completions.create(**ASK, stream=True)))

    assert of(150) - of(50) <= 2 * 100


def cohere_of(parts: list[bytes], kind: str) -> Any:
    """Each part arrives alone."""

    class Parts(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return iter(parts)

    transport = httpx.MockTransport(lambda _request: httpx.Response(200, headers={"content-type": kind}, stream=Parts()))
    return cohere.client_at("https://api.cohere.com", httpx_client=httpx.Client(transport=transport))


def test_a_chat_of_coheres() -> None:
    client = cohere_of([json.dumps(cohere.answer()).encode()], "application/json")
    assert count_added_calls(lambda: client.chat(**cohere.ASK)) <= 40


@pytest.mark.parametrize("thinks", [True, False])
def test_each_event_of_coheres(thinks: bool) -> None:
    def of(number: int) -> int:
        sent = cohere.events(*["lorem"] * number)
        if thinks:
            sent = json.loads(json.dumps(sent).replace('{"text": "lorem"}', '{"thinking": "lorem"}'))
        client = cohere_of(sse(sent), "text/event-stream")
        return count_added_calls(lambda: list(client.chat_stream(**cohere.ASK)))

    few, many = of(50), of(150)
    assert many - few <= 3 * 100
    assert few <= 300

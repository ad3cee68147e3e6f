"""`retry` around real SDKs on real sockets: each attempt is in the trace and in the ledger, and no token is counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI, RateLimitError

from tests.core.conftest import Sdk
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail import retry, track_tokens
from tokentrail.testing import Usages

FAILED = {"error": {"message": "of a provider"}}
MESSAGES: Any = [{"role": "user", "content": "why?"}]


class Breaking(ScriptedServer):
    """Hangs up on the first request, without an answer."""

    hung_up = False

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if not self.hung_up:
            self.hung_up = True
            request.close_connection = True
            return
        super().answer(request, body)


def client(server: ScriptedServer) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def test_failures_are_rows_and_the_answer_is_counted_once(sdk: Sdk, tokentrail_usages: Usages) -> None:
    with ScriptedServer((429, FAILED), (503, FAILED), completion()) as server:  # each with retry-after-ms: 1

        @track_tokens(operation="query", tenant_id="acme")
        @retry(first=0.001)
        def ask() -> str:
            return client(server).chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content or ""

        with track_tokens() as spent:
            assert ask() == "lorem ipsum"
    assert [(usage.ended, usage.error_type, usage.input_tokens, usage.tenant_id) for usage in tokentrail_usages] == [
        ("error", "429", None, "acme"),
        ("error", "503", None, "acme"),
        ("complete", "", 40, "acme"),
    ]
    assert (spent.calls, spent.input_tokens) == (3, 40)
    spans = sdk.spans
    (block,) = [span for span in spans if span.name.endswith("ask")]
    attempts = [span for span in spans if span.parent is not None and span.parent.span_id == block.context.span_id]
    assert [span.attributes.get("error.type") for span in attempts] == ["429", "503", None]
    assert [(event.name, event.attributes["tokentrail.attempt"], event.attributes["error.type"]) for event in block.events] == [
        ("tokentrail.retry", 1, "429"),
        ("tokentrail.retry", 2, "503"),
    ]


def test_a_connection_that_breaks_off_is_tried_again(tokentrail_usages: Usages) -> None:
    with Breaking(completion()) as server:

        @retry(first=0.001)
        async def ask() -> None:
            async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as asynchronous:
                await asynchronous.chat.completions.create(model="m", messages=MESSAGES)

        asyncio.run(ask())
    assert [(usage.ended, usage.input_tokens) for usage in tokentrail_usages] == [("error", None), ("complete", 40)]


def test_a_stream_is_begun_anew_before_its_first_chunk(tokentrail_usages: Usages) -> None:
    with ScriptedServer((500, FAILED), sse(chunks("lorem", usage=True))) as server:

        @retry(first=0.001)
        def words() -> Iterator[str]:
            for chunk in client(server).chat.completions.create(model="m", messages=MESSAGES, stream=True):
                yield chunk.choices[0].delta.content or "" if chunk.choices else ""

        assert "".join(words()) == "lorem"
    assert [(usage.ended, usage.input_tokens) for usage in tokentrail_usages] == [("error", None), ("complete", 40)]


def test_a_refusal_is_asked_once_and_a_limit_as_often_as_said(tokentrail_usages: Usages) -> None:
    for status, requests in ((401, 1), (404, 1), (429, 4)):
        with ScriptedServer((status, FAILED)) as server:
            ask = retry(first=0.001)(lambda server=server: client(server).chat.completions.create(model="m", messages=MESSAGES))
            with pytest.raises(APIStatusError) as raised:
                ask()
            assert raised.value.status_code == status
            assert isinstance(raised.value, RateLimitError) is (status == 429)
            assert len(server.asked) == requests
    assert len(tokentrail_usages) == 6

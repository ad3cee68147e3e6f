"""A wrapped call inside a wrapped call is a part of it; a call beside it is not."""

from __future__ import annotations

import threading
from typing import Any

import groq
import httpx
import openai

from tests.support.scripted import ScriptedServer, completion
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class GatewayInProcess(httpx.BaseTransport):
    """A transport of one SDK's client that asks another SDK."""

    def __init__(self, url: str) -> None:
        self.client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        answer = self.client.chat.completions.create(**ASK)
        return httpx.Response(200, json=answer.model_dump(), request=request)


def test_a_call_inside_a_call(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        outer = groq.Groq(base_url="http://gateway.invalid", api_key="none", http_client=httpx.Client(transport=GatewayInProcess(server.url)))
        outer.chat.completions.create(**ASK)
        assert [usage.input_tokens for usage in usages.recorded] == [40]
        openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK)
        assert [usage.input_tokens for usage in usages.recorded] == [40, 40]


def test_calls_beside_each_other_in_threads(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        threads = [threading.Thread(target=client.chat.completions.create, kwargs=ASK) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(usages.recorded), usages.input_tokens) == (12, 480)
    assert len({usage.key for usage in usages.recorded}) == 12

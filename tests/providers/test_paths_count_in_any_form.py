"""`client.post()` and `get()`: a model call is a row however its path is written, under the server that it went to; what is no model call is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import groq
import openai
import pytest

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.testing import Usages

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
STREAMED = {**CHAT, "stream": True}
STREAM = sse(chunks("lorem ", "ipsum", usage=True))
http = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx

FORMS = [
    "/chat/completions",
    "chat/completions",
    "/chat/completions/",
    "/v1/chat/completions",
    "v1/chat/completions?beta=true",
    "/v1//chat/completions",
    "/chat/completions?api-version=2024-10-21#part",
    "/chat%2Fcompletions",
    "/openai/v1/chat/completions",
    "/deployments/gpt-4o/chat/completions",
    "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    "/v1/accounts/a/gateway/openai/chat/completions",
]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(completion()) as scripted:
        yield scripted


def list_recorded(usages: Usages) -> list[tuple[Any, ...]]:
    return [(usage.endpoint, usage.input_tokens, usage.output_tokens, usage.ended) for usage in usages.recorded]


@pytest.mark.parametrize("base", ["", "/v1", "/v1/", "/openai/v1"])
@pytest.mark.parametrize("make", [openai.OpenAI, groq.Groq], ids=["openai", "groq"])
def test_every_form_is_one_row(make: Any, base: str, server: ScriptedServer, usages: Usages) -> None:
    with make(base_url=server.url + base, api_key="none", max_retries=0) as client:
        for form in FORMS:
            client.post(form, body=CHAT, cast_to=object)
    assert list_recorded(usages) == [("chat", 40, 11, "complete")] * len(FORMS)
    assert len(server.paths) == len(FORMS)


def test_every_endpoint_is_known_by_its_path(server: ScriptedServer, usages: Usages) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        for path in ("/v1/completions", "v1/embeddings/", "/openai/v1/responses?x=1", "/v1/responses/compact"):
            client.post(path, body={"model": "m", "input": "hello"}, cast_to=object)
    assert [usage.endpoint for usage in usages.recorded] == ["completions", "embeddings", "responses", "responses"]


def test_what_is_no_model_call_is_no_row(server: ScriptedServer, usages: Usages) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        for path in (
            "/responses/input_tokens",
            "/v1/responses/input_tokens",
            "/chat/completions/chatcmpl-1",
            "/moderations",
            "/v1/files",
            "/tokenize",
            "/completions/usage",
            "/chat",
            "/",
        ):
            client.post(path, body=CHAT, cast_to=object)
        for path in ("/models", "/chat/completions", "/v1/chat/completions", "/responses/resp_1/input_items", "/organization/usage/completions"):
            client.get(path, cast_to=object)
    assert list_recorded(usages) == []


def test_a_whole_url_is_the_servers_that_it_names(server: ScriptedServer, usages: Usages) -> None:
    with ScriptedServer(completion()) as other, openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        client.post(f"{other.url}/team/v1/chat/completions?x=1", body=CHAT, cast_to=object)
        client.chat.completions.create(**CHAT)
        assert (len(server.paths), len(other.paths)) == (1, 1)
        assert [usage.server_port for usage in usages.recorded] == [other.port, server.port]


def test_the_provider_is_the_host_of_a_whole_url(usages: Usages) -> None:
    answer = json.dumps(completion()).encode()
    transport = http.MockTransport(lambda _request: http.Response(200, headers={"content-type": "application/json"}, content=answer))
    with openai.OpenAI(api_key="none", http_client=http.Client(transport=transport)) as client:
        client.post("https://api.groq.com/openai/v1/chat/completions", body=CHAT, cast_to=object)
        client.post("https://x.openai.azure.com/openai/deployments/my-gpt/chat/completions", body={"messages": CHAT["messages"]}, cast_to=object)
    assert [(usage.provider, usage.server_address, usage.request_model) for usage in usages.recorded] == [
        ("groq", "api.groq.com", "m"),
        ("azure.ai.openai", "x.openai.azure.com", "my-gpt"),
    ]


def test_azures_client_in_each_form(server: ScriptedServer, usages: Usages) -> None:
    given: dict[str, Any] = {"azure_endpoint": server.url, "api_key": "none", "api_version": "2024-10-21", "max_retries": 0}
    for more in ({}, {"azure_deployment": "my-gpt"}):
        with openai.AzureOpenAI(**(given | more)) as client:
            client.chat.completions.create(**CHAT)
            client.post("/deployments/my-gpt/chat/completions", body={"messages": CHAT["messages"]}, cast_to=object)
            client.post("/chat/completions", body=CHAT, cast_to=object)
    assert list_recorded(usages) == [("chat", 40, 11, "complete")] * 6
    assert [usage.request_model for usage in usages.recorded] == ["m", "my-gpt", "m"] * 2


def test_the_method_in_any_case(server: ScriptedServer, usages: Usages) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        options = openai._models.FinalRequestOptions.construct(method="POST", url="/v1/chat/completions", json_data=CHAT)
        client.request(cast_to=object, options=options)
    assert list_recorded(usages) == [("chat", 40, 11, "complete")]


class Mine(openai.BaseModel):
    """A model of the caller's own, which knows nothing of usage."""

    id: str


@pytest.mark.parametrize("cast_to", [object, dict[str, Any], str, bytes, http.Response, openai.BaseModel, Mine, openai.types.chat.ChatCompletion])
async def test_whatever_it_is_cast_to(cast_to: Any, server: ScriptedServer, usages: Usages) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        assert client.post("/v1/chat/completions", body=CHAT, cast_to=cast_to) is not None
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        assert await client.post("/v1/chat/completions", body=CHAT, cast_to=cast_to) is not None
    assert list_recorded(usages) == [("chat", 40, 11, "complete")] * 2


@pytest.mark.parametrize("cast_to", [str, http.Response, openai.types.chat.ChatCompletion])
def test_a_stream_that_only_the_body_asks_for(cast_to: Any, usages: Usages) -> None:
    with ScriptedServer(STREAM) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        client.post("/v1/chat/completions", body=STREAMED, cast_to=cast_to)
        assert server.asked == [STREAMED], "a caller who takes bytes is not given an extra chunk"
    assert list_recorded(usages) == [("chat", 40, 11, "complete")]
    assert (usages[0].stream, usages[0].output_chars) == (True, len("lorem ipsum"))


@pytest.mark.parametrize("asked", [True, False])
def test_streams_of_the_callers_own_type(asked: bool, known_as: Any, usages: Usages) -> None:
    plain = sse(chunks("lorem ", "ipsum"))
    with ScriptedServer(STREAM) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        if asked:
            known_as(server.port, "openai")
        stream = client.post("/v1/chat/completions", body=STREAMED, cast_to=object, stream=True, stream_cls=openai.Stream[dict[str, Any]])
        seen = list(stream)
        assert server.asked[0].get("stream_options") == ({"include_usage": True} if asked else None)
    assert len(seen) == len(plain) - 1 + (not asked)
    assert ["usage" in chunk for chunk in seen] == [not asked] * len(seen)
    assert list_recorded(usages) == [("chat", 40, 11, "complete")]


@pytest.mark.parametrize("how", ["read", "lines", "left"])
def test_a_stream_as_the_http_response(how: str, known_as: Any, usages: Usages) -> None:
    with ScriptedServer(STREAM) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        known_as(server.port, "openai")
        response = client.post("/v1/chat/completions", body=STREAMED, cast_to=http.Response, stream=True, stream_cls=openai.Stream[Any])
        assert server.asked == [STREAMED]
        if how == "read":
            assert b"[DONE]" in response.read()
        elif how == "lines":
            assert "data: [DONE]" in list(response.iter_lines())
        response.close()
    assert [row[1:] for row in list_recorded(usages)] == [(None, None, "partial") if how == "left" else (40, 11, "complete")]


def test_fields_in_extra_body(server: ScriptedServer, usages: Usages) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        client.chat.completions.create(**CHAT, extra_body={"model": "other"})
    assert [(usage.request_model, usage.input_chars) for usage in usages.recorded] == [("other", 5)]


@pytest.mark.skipif("content" not in openai._models.FinalRequestOptions.__annotations__, reason="this openai takes no bytes")
def test_a_body_of_bytes(server: ScriptedServer, usages: Usages) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        client.post("/v1/chat/completions", content=json.dumps(CHAT).encode(), cast_to=object)
    assert [(usage.request_model, usage.input_chars, usage.output_tokens) for usage in usages.recorded] == [("m", 5, 11)]


@pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai has no Responses")
def test_a_job_that_is_asked_for_by_its_path(usages: Usages) -> None:
    job = {"id": "resp_1", "object": "response", "created_at": 1790000000, "status": "completed", "background": True, "model": "m", "output": []}
    job["usage"] = {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}
    with ScriptedServer(job) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        for path in ("/responses/resp_1", "/v1/responses/resp_1/?include=x", f"{server.url}/openai/v1/responses/resp_1"):
            client.get(path, cast_to=object)
        client.post("/v1/responses/resp_1/cancel", cast_to=object)
        client.get("/v1/responses/resp_1", cast_to=http.Response)
    assert {(usage.key, usage.input_tokens, usage.output_tokens) for usage in usages.recorded} == {(usages[0].key, 5, 6)}
    assert (len(usages.recorded), len(usages)) == (5, 1)

"""Azure AI Inference's SDK: each way of calling is one row with its counts, however it ends; the caller gets what the SDK gives without tokentrail."""

from __future__ import annotations

import asyncio
import gc
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.calls import SilentCall, count_own_calls
from tests.support.provider_sdks import azure_client
from tests.support.scripted import HEAD, ScriptedServer, chunks, completion, sse
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.testing import Usages

exceptions = pytest.importorskip("azure.core.exceptions")
rest = pytest.importorskip("azure.core.rest")
pytest.importorskip("azure.ai.inference.aio")
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

MESSAGES = [{"role": "user", "content": "hello"}]
ASK: dict[str, Any] = {"model": "Phi-4", "messages": MESSAGES}
NO = (503, {"error": {"code": "Unavailable", "message": "again"}})
QUICK = {"retry_total": 3, "retry_backoff_factor": 0.001}
VECTORS = {"data": [{"index": 0, "embedding": [0.5]}], "model": "embed-v3", "usage": {"prompt_tokens": 9, "total_tokens": 9}}


def seen(usages: Usages) -> list[tuple[Any, ...]]:
    return [(u.ended, u.error_type, u.attempts, u.input_tokens, u.output_tokens, u.cache_read_tokens) for u in usages.recorded]


@pytest.fixture
def stream() -> Iterator[ScriptedServer]:
    with ScriptedServer(sse(chunks("lorem ", "ipsum ", "dolor", usage=True))) as server:
        yield server


def test_a_chat(usages: Usages) -> None:
    with ScriptedServer(completion()) as server, azure_client(server.url) as client:
        assert client.complete(**ASK).choices[0].message.content == "lorem ipsum"
    (usage,) = usages.recorded
    assert (usage.provider, usage.endpoint, usage.gen_ai_operation, usage.operation) == ("azure.ai.inference", "chat", "chat", "chat")
    assert (usage.request_model, usage.response_model, usage.response_id) == ("Phi-4", HEAD["model"], HEAD["id"])
    assert (usage.server_address, usage.server_port, usage.stream) == ("127.0.0.1", server.port, False)
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == (40, 11, 32, 4)
    assert (usage.input_chars, usage.output_chars) == (5, 11)


def test_the_address_says_who_answers_and_the_path_names_a_deployment(usages: Usages, known_as: Any) -> None:
    with ScriptedServer(completion()) as server:
        known_as(server.port, "azure.ai.openai")
        with azure_client(f"{server.url}/openai/deployments/gpt-4o", api_version="2024-10-21") as client:
            client.complete(messages=MESSAGES)
    assert [(u.provider, u.request_model) for u in usages.recorded] == [("azure.ai.openai", "gpt-4o")]


def test_the_sdks_own_tries_are_attempts_of_one_call(usages: Usages) -> None:
    with ScriptedServer(NO, NO, completion()) as server, azure_client(server.url, **QUICK) as client:
        client.complete(**ASK)
    assert seen(usages) == [("complete", "", 3, 40, 11, 32)]


async def test_tries_are_attempts_async_and_many_at_once(usages: Usages) -> None:
    with ScriptedServer(NO, NO, NO, completion()) as server:
        async with azure_client(server.url, asynchronous=True, **QUICK) as client:
            await asyncio.gather(*(client.complete(**ASK) for _ in range(5)))
        assert len(server.asked) == 8
    assert len(usages.recorded) == 5
    assert sum(usage.attempts for usage in usages.recorded) == 8


@pytest.mark.parametrize("streams", [False, True])
def test_never_answered(usages: Usages, streams: bool) -> None:
    with ScriptedServer(NO) as server, azure_client(server.url) as client, pytest.raises(exceptions.HttpResponseError):
        client.complete(**ASK, stream=streams)
    assert seen(usages) == [("error", "503", 1, None, None, None)]


def test_nobody_listens(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        url = server.url
    with azure_client(url) as client, pytest.raises(exceptions.ServiceRequestError):
        client.complete(**ASK)
    assert [(u.ended, u.attempts) for u in usages.recorded] == [("error", 1)]
    assert usages[0].error_type.endswith("ServiceRequestError")


def test_a_stream_is_recorded_with_its_last_event(stream: ScriptedServer, usages: Usages) -> None:
    """The SDK stops at `[DONE]`, and neither reads to the end of the body nor closes it."""
    with azure_client(stream.url) as client:
        told = client.complete(**ASK, stream=True)
        assert not usages.recorded
        assert [choice.delta.content for update in told for choice in update.choices][1:4] == ["lorem ", "ipsum ", "dolor"]
        assert seen(usages) == [("complete", "", 1, 40, 11, 32)]
        told.close()
    assert len(usages.recorded) == 1
    assert usages[0].output_chars == len("lorem ipsum dolor")
    assert usages[0].time_to_first_chunk_ns
    assert not current.runtime.streams
    assert not {"close", "iter_bytes"} & set(vars(told._response))


async def test_a_stream_is_recorded_with_its_last_event_async(stream: ScriptedServer, usages: Usages) -> None:
    async with azure_client(stream.url, asynchronous=True) as client:
        told = await client.complete(**ASK, stream=True)
        assert len([update async for update in told]) == 6
        assert seen(usages) == [("complete", "", 1, 40, 11, 32)]
        await told.aclose()
    assert len(usages.recorded) == 1


def test_a_text_that_looks_like_the_end_is_a_text(usages: Usages) -> None:
    with ScriptedServer(sse(chunks("data: [DONE]", "ipsum", usage=True))) as server, azure_client(server.url) as client:
        list(client.complete(**ASK, stream=True))
    assert seen(usages) == [("complete", "", 1, 40, 11, 32)]
    assert usages[0].output_chars == len("data: [DONE]ipsum")


@pytest.mark.parametrize("read", [0, 1, 3])
def test_a_stream_that_is_left(usages: Usages, read: int) -> None:
    with ScriptedServer(sse(chunks(*["lorem "] * 3000), done=False)) as server, azure_client(server.url) as client:
        with client.complete(**ASK, stream=True) as told:
            for _ in range(read):
                next(told)
        assert [usage.ended for usage in usages.recorded] == ["partial"]
        dropped = client.complete(**ASK, stream=True)
        for _ in range(read):
            next(dropped)
        del dropped
        gc.collect()
        usages.wait_for(2)
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2
    assert not current.runtime.streams


async def test_a_stream_that_is_left_async(usages: Usages) -> None:
    with ScriptedServer(sse(chunks(*["lorem "] * 3000), done=False)) as server:
        async with azure_client(server.url, asynchronous=True) as client:
            async with await client.complete(**ASK, stream=True) as told:
                await told.__anext__()
            assert [usage.ended for usage in usages.recorded] == ["partial"]
            told = await client.complete(**ASK, stream=True)
            async for _ in told:
                break
            del told
            gc.collect()
            await usages.wait_for_async(2)
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2


def test_a_stream_that_breaks_off_and_one_that_fails(usages: Usages) -> None:
    broken = [part.replace(b"lorem", b"lor\xff") for part in sse(chunks("lorem", "ipsum"))]
    failed = {**HEAD, "error": {"code": "server_error", "message": "no"}, "choices": []}
    with (
        ScriptedServer(sse(chunks("lorem ")[:2], done=False), broken, sse([*chunks("lorem")[:2], failed])) as server,
        azure_client(server.url) as client,
    ):
        list(client.complete(**ASK, stream=True))
        with suppress(UnicodeDecodeError), client.complete(**ASK, stream=True) as told:
            list(told)
        list(client.complete(**ASK, stream=True))
    assert [u.ended for u in usages.recorded] == ["partial", "partial", "error"]


def test_embeddings_of_texts_and_of_images(usages: Usages) -> None:
    with ScriptedServer(VECTORS) as server:
        with azure_client(server.url, "EmbeddingsClient") as client:
            client.embed(input=["lorem", "ipsum"], model="embed-v3")
        with azure_client(server.url, "ImageEmbeddingsClient") as client:
            client.embed(input=[{"image": "data:image/png;base64,AAAA"}])
        assert [path.partition("?")[0] for path in server.paths] == ["/embeddings", "/images/embeddings"]
    assert [(u.token_type, u.operation, u.input_tokens, u.output_tokens) for u in usages.recorded] == [("embedding", "vector_search", 9, None)] * 2
    assert [u.input_chars for u in usages.recorded] == [10, 0]


@pytest.mark.parametrize("body", [ASK, io.BytesIO(json.dumps(ASK).encode()), json.dumps(ASK).encode()])
def test_bodies_of_any_kind(usages: Usages, body: Any) -> None:
    with ScriptedServer(completion()) as server, azure_client(server.url) as client:
        client.complete(body)
        assert server.asked == [ASK]
    assert seen(usages) == [("complete", "", 1, 40, 11, 32)]
    assert usages[0].request_model == ("" if isinstance(body, io.BytesIO) else "Phi-4"), "a file is not read for its model"


def test_a_request_of_the_callers_own(usages: Usages, stream: ScriptedServer) -> None:
    with azure_client(stream.url) as client:
        for streams in (False, True):
            response = client.send_request(rest.HttpRequest("POST", "/chat/completions", json={**ASK, "stream": True}), stream=streams)
            assert b"".join(response.iter_bytes()).endswith(b"[DONE]\n\n")
    assert seen(usages) == [("complete", "", 1, 40, 11, 32)] * 2


def test_what_is_no_call_of_a_model(usages: Usages) -> None:
    info = {"model_name": "Phi-4", "model_type": "chat-completion", "model_provider_name": "lorem"}
    with ScriptedServer(info) as server, azure_client(server.url) as client:
        client.get_model_info()
        client.send_request(rest.HttpRequest("POST", "/info", json={}))
        client.send_request(rest.HttpRequest("GET", "/chat/completions"))
    assert not usages.recorded


@pytest.mark.parametrize(
    "usage", [None, [], "12", 0, {"prompt_tokens": "12"}, {"prompt_tokens": -1, "completion_tokens": 2**63}, {"prompt_tokens_details": []}]
)
@pytest.mark.parametrize("odd", [None, 7, [], {"a": None}])
def test_odd_answers(usages: Usages, usage: Any, odd: Any) -> None:
    bodies = [
        completion(usage=usage, model=odd, id=odd),
        completion(choices=odd),
        {"choices": [{"message": odd, "delta": odd}], "usage": usage},
        [odd],
        "lorem",
    ]
    for body in bodies:
        answers = (body, sse([body]))
        with ScriptedServer(*answers) as server, azure_client(server.url) as client:
            for streams in (False, True):
                with suppress(Exception):
                    list(client.complete(**ASK, stream=streams))
    assert len(usages.recorded) == 2 * len(bodies)
    assert all(u.input_tokens in {None, 0, 12, 40} and u.output_tokens in {None, 11} for u in usages.recorded)


def test_a_page_in_place_of_an_answer(usages: Usages) -> None:
    class Page(ScriptedServer):
        def _answer(self, request: Any, _body: Any) -> None:
            request.send_response(200)
            request.send_header("content-type", "text/html")
            request.send_header("content-length", "13")
            request.end_headers()
            request.wfile.write(b"<html></html>")

    with Page() as server, azure_client(server.url) as client:
        for streams in (False, True):
            with suppress(ValueError, exceptions.DecodeError):
                list(client.complete(**ASK, stream=streams))
    gc.collect()
    assert [(u.input_tokens, u.output_tokens) for u in usages.recorded] == [(None, None)] * 2


def test_few_calls_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SilentCall()
    monkeypatch.setattr(recorder, "start", lambda _request: silent)

    def added(answer: Any, **more: Any) -> int:
        with ScriptedServer(answer) as server, azure_client(server.url) as client:
            return count_own_calls(lambda: list(client.complete(**ASK, **more)))

    assert 10 < added(completion()) <= 35
    few, many = (added([b"".join(sse(chunks(*["lorem"] * number, usage=True)))], stream=True) for number in (20, 70))
    assert many - few <= 3 * 50

"""SDKs of single providers in OpenAI's shape: each way of calling is one row with its counts, however it ends; the caller sees what the SDK gives."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from typing import Any

import pytest

from tests.support import scripted
from tests.support.calls import SilentCall, count_own_calls
from tests.support.provider_sdks import PACKAGES, client_of, error_types, is_there
from tests.support.scripted import ScriptedServer, sse
from tokentrail.instrumentation.registry import uninstrument
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.testing import Usages

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

ASK: dict[str, Any] = {"model": "lorem", "messages": [{"role": "user", "content": "hello"}]}
NO = (503, {"error": {"message": "again", "code": 503}})
CHATS = {"openrouter": "chat.send", "writer": "chat.chat"}
OF_ALL = [name for name in PACKAGES if name != "azure_ai" and is_there(name)]
STAINLESS = [name for name in OF_ALL if name != "openrouter"]


def chat_of(provider: str, client: Any, *, asynchronous: bool = False) -> Callable[..., Any]:
    suffix = "_async" if asynchronous and provider == "openrouter" else ""
    return attrgetter(CHATS.get(provider, "chat.completions.create") + suffix)(client)  # type: ignore[no-any-return]


def completion(**more: Any) -> dict[str, Any]:
    return scripted.completion(system_fingerprint="fp_lorem", **more)


def chunks(*texts: str, usage: bool = True, finish: str | None = "stop") -> list[dict[str, Any]]:
    """Without the `null` in each chunk, which OpenAI sends with the usage."""
    sent = [{**chunk, "system_fingerprint": "fp_lorem"} for chunk in scripted.chunks(*texts, usage=usage, finish=finish)]
    return [{name: value for name, value in chunk.items() if (name, value) != ("usage", None)} for chunk in sent]


def seen(usages: Usages) -> list[tuple[Any, ...]]:
    return [(u.ended, u.error_type, u.attempts, u.input_tokens, u.output_tokens, u.cache_read_tokens) for u in usages.recorded]


@pytest.mark.parametrize("provider", OF_ALL)
def test_a_chat(provider: str, usages: Usages) -> None:
    with ScriptedServer(completion()) as server, client_of(provider, server.url) as client:
        assert chat_of(provider, client)(**ASK).choices[0].message.content == "lorem ipsum"
    (usage,) = usages.recorded
    assert (usage.provider, usage.endpoint, usage.gen_ai_operation, usage.operation) == (provider, "chat", "chat", "chat")
    assert (usage.request_model, usage.response_model, usage.response_id) == ("lorem", scripted.HEAD["model"], scripted.HEAD["id"])
    assert (usage.server_address, usage.server_port, usage.stream) == ("127.0.0.1", server.port, False)
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens) == (40, 11, 32, 4)
    assert (usage.input_chars, usage.output_chars) == (5, 11)


@pytest.mark.parametrize("provider", STAINLESS)
def test_a_cache_that_the_usage_itself_states(provider: str, usages: Usages) -> None:
    """As Together states it."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cached_tokens": 5}
    with ScriptedServer(completion(usage=usage)) as server, client_of(provider, server.url) as client:
        chat_of(provider, client)(**ASK)
    assert seen(usages) == [("complete", "", 1, 9, 2, 5)]


@pytest.mark.parametrize("provider", STAINLESS)
def test_the_sdks_own_tries_are_attempts_of_one_call(provider: str, usages: Usages) -> None:
    with ScriptedServer(NO, NO, completion()) as server, client_of(provider, server.url, max_retries=3) as client:
        chat_of(provider, client)(**ASK)
    assert seen(usages) == [("complete", "", 3, 40, 11, 32)]


@pytest.mark.skipif(not is_there("openrouter"), reason="its SDK is not installed")
async def test_openrouters_tries_are_attempts_sync_and_async(usages: Usages) -> None:
    utils = import_module("openrouter.utils")
    retries = utils.RetryConfig("backoff", utils.BackoffStrategy(1, 2, 1.0, 60_000), False)
    with ScriptedServer(NO, NO, completion()) as server, client_of("openrouter", server.url, retry_config=retries) as client:
        client.chat.send(**ASK)
    with ScriptedServer(NO, NO, NO, completion()) as server:
        async with client_of("openrouter", server.url, retry_config=retries) as client:
            await asyncio.gather(*(client.chat.send_async(**ASK) for _ in range(5)))
    assert usages[0].attempts == 3
    assert sum(usage.attempts for usage in usages.recorded) == 11
    assert len(usages.recorded) == 6


@pytest.mark.parametrize("provider", OF_ALL)
@pytest.mark.parametrize("streams", [False, True])
def test_never_answered(provider: str, streams: bool, usages: Usages) -> None:
    more = {"retries": None} if provider == "openrouter" else {}
    refused = (404, {"error": {"message": "no such model", "code": 404}})
    with ScriptedServer(refused) as server, client_of(provider, server.url) as client, pytest.raises(error_types()):
        chat_of(provider, client)(**ASK, stream=streams, **more)
    assert seen(usages) == [("error", "404", 1, None, None, None)]


@pytest.mark.parametrize("provider", OF_ALL)
def test_a_stream_is_recorded_when_it_is_read(provider: str, usages: Usages) -> None:
    with ScriptedServer(sse(chunks("lorem ", "ipsum ", "dolor"))) as server, client_of(provider, server.url) as client:
        told = chat_of(provider, client)(**ASK, stream=True)
        for _ in told:
            assert not usages.recorded
        assert seen(usages) == [("complete", "", 1, 40, 11, 32)]
        told.response.close()
    assert len(usages.recorded) == 1
    assert usages[0].output_chars == len("lorem ipsum dolor")
    assert usages[0].time_to_first_chunk_ns
    assert not current.runtime.streams


@pytest.mark.parametrize("provider", OF_ALL)
@pytest.mark.parametrize("read", [0, 2])
def test_a_stream_that_is_left(provider: str, read: int, usages: Usages) -> None:
    with ScriptedServer(sse(chunks(*["lorem "] * 3000, usage=False), done=False)) as server, client_of(provider, server.url) as client:
        with chat_of(provider, client)(**ASK, stream=True) as told:
            for _ in range(read):
                next(told)
        assert [usage.ended for usage in usages.recorded] == ["partial"]
        dropped = chat_of(provider, client)(**ASK, stream=True)
        for _ in range(read):
            next(dropped)
        del dropped
        gc.collect()
        usages.wait_for(2)
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2
    assert not current.runtime.streams


@pytest.mark.parametrize("provider", OF_ALL)
async def test_a_stream_that_is_left_async(provider: str, usages: Usages) -> None:
    with ScriptedServer(sse(chunks(*["lorem "] * 3000, usage=False), done=False)) as server:
        async with client_of(provider, server.url, asynchronous=True) as client:
            ask = chat_of(provider, client, asynchronous=True)
            async with await ask(**ASK, stream=True) as told:
                await told.__anext__()
            assert [usage.ended for usage in usages.recorded] == ["partial"]
            told = await ask(**ASK, stream=True)
            async for _ in told:
                break
            del told
            gc.collect()
            await usages.wait_for_async(2)
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2


@pytest.mark.parametrize("provider", OF_ALL)
def test_a_stream_that_breaks_off_and_one_that_fails(provider: str, usages: Usages) -> None:
    broken = sse(chunks("lorem ")[:2], done=False)
    failed = sse([*chunks("lorem ")[:2], {**chunks(finish="error", usage=False)[-1], "error": {"code": "server_error", "message": "no"}}])
    with ScriptedServer(broken, failed) as server, client_of(provider, server.url) as client:
        list(chat_of(provider, client)(**ASK, stream=True))
        with suppress(*error_types()):
            list(chat_of(provider, client)(**ASK, stream=True))
    gc.collect()
    assert [(u.ended, u.output_chars) for u in usages.recorded] == [("partial", 6), ("error", 6)]


@pytest.mark.parametrize("provider", STAINLESS)
def test_raw_responses(provider: str, usages: Usages) -> None:
    body = {"url": "/v1/chat", "json": {}} if provider == "writer" else {"url": "/v1/chat/completions", "json": {}}
    with ScriptedServer(completion()) as server, client_of(provider, server.url) as client:
        raw = chat_of(provider, client.with_raw_response)(**ASK)
        assert raw.parse().usage.prompt_tokens == 40
        with chat_of(provider, client.with_streaming_response)(**ASK) as response:
            assert b"lorem ipsum" in response.read()
        assert client.post(body["url"], body=ASK, cast_to=dict[str, Any])["usage"]["prompt_tokens"] == 40
    with ScriptedServer(sse(chunks("lorem ipsum"))) as server, client_of(provider, server.url) as client:
        list(chat_of(provider, client.with_raw_response)(**ASK, stream=True).parse())
        with chat_of(provider, client.with_streaming_response)(**ASK, stream=True) as response:
            assert "data: [DONE]" in list(response.iter_lines())
    assert seen(usages) == [("complete", "", 1, 40, 11, 32)] * 5


@pytest.mark.skipif(not is_there("writer"), reason="its SDK is not installed")
def test_writer_is_asked_for_the_usage_and_shows_what_it_shows_unasked(usages: Usages, known_as: Any) -> None:
    class Writer(ScriptedServer):
        """States the usage of a stream only if it is asked for it, and has its `null` in each chunk all the same."""

        def _answer(self, request: Any, body: dict[str, Any]) -> None:
            asked = bool((body.get("stream_options") or {}).get("include_usage"))
            sent = scripted.chunks("lorem ", "ipsum", usage=True)
            self.answers = [sse(sent if asked else sent[:-1])]
            super()._answer(request, body)

    def read(client: Any, **more: Any) -> list[Any]:
        return [(chunk.to_json(), sorted(chunk.model_fields_set)) for chunk in client.chat.chat(**ASK, stream=True, **more)]

    with Writer() as server, client_of("writer", server.url) as client:
        known_as(server.port, "writer")
        hooked = read(client)
        asked = read(client, stream_options={"include_usage": True})
        uninstrument()
        assert hooked == read(client)
        assert asked == read(client, stream_options={"include_usage": True})
        assert ["stream_options" in body for body in server.asked] == [True, True, False, True]
    assert "usage" in hooked[0][1]
    assert (len(hooked), len(asked)) == (4, 5)
    assert seen(usages) == [("complete", "", 1, 40, 11, 32)] * 2


@pytest.mark.skipif(not is_there("openrouter"), reason="its SDK is not installed")
def test_a_preset_is_no_call_of_a_model(usages: Usages) -> None:
    with ScriptedServer({"data": {}}) as server, client_of("openrouter", server.url) as client:
        for create, given in ((client.presets.create_presets_chat_completions, ASK), (client.presets.create_presets_responses, {"input": "lorem"})):
            with suppress(*error_types()):
                create(slug="lorem", **given)
        assert [path.rpartition("/")[2] for path in server.paths] == ["completions", "responses"]
    assert not usages.recorded


@pytest.mark.skipif(not is_there("fireworks"), reason="its SDK is not installed")
def test_fireworks_own_host_is_known_by_its_path(usages: Usages) -> None:
    httpx = import_module("httpx")
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=completion(), headers={"x-path": request.url.path}))
    client = import_module("fireworks").Fireworks(api_key="none", http_client=httpx.Client(transport=transport))
    assert client.chat.completions.with_raw_response.create(**ASK).headers["x-path"] == "/inference/v1/chat/completions"
    assert [(u.provider, u.server_address, u.input_tokens) for u in usages.recorded] == [("fireworks", "api.fireworks.ai", 40)]


@pytest.mark.parametrize("provider", OF_ALL)
@pytest.mark.parametrize("odd", [None, 7, {"a": None}])
@pytest.mark.slow
def test_odd_answers(provider: str, usages: Usages, odd: Any) -> None:
    stated = [None, [], "12", 0, {"prompt_tokens": "12"}, {"prompt_tokens": -1, "completion_tokens": 2**63, "prompt_tokens_details": []}]
    bodies = [completion(usage=usage, model=odd, id=odd) for usage in stated]
    bodies += [completion(choices=odd), {"choices": [{"message": odd, "delta": odd}], "usage": odd}, [odd], "lorem"]
    with ScriptedServer(completion()) as server, client_of(provider, server.url) as client:
        for body in bodies:
            for streams in (False, True):
                server.answers = [sse([body]) if streams else body]
                with suppress(Exception):
                    list(chat_of(provider, client)(**ASK, stream=streams))
    gc.collect()
    assert len(usages.recorded) == 2 * len(bodies)
    assert all(u.input_tokens in {None, 0, 12, 40} and u.output_tokens in {None, 11} for u in usages.recorded)


@pytest.mark.parametrize("provider", OF_ALL)
@pytest.mark.slow
def test_few_calls_are_added(provider: str, known_as: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SilentCall()
    monkeypatch.setattr(recorder, "start", lambda _request: silent)

    def added(answer: Any, **more: Any) -> int:
        with ScriptedServer(answer) as server, client_of(provider, server.url) as client:
            known_as(server.port, provider)  # as the provider's own host is
            return count_own_calls(lambda: list(chat_of(provider, client)(**ASK, **more)))

    assert (
        10 < added(completion()) <= (100 if provider == "openrouter" else 120)
    )  # nothing names the host, so that the answer is asked for a proof of its provider
    few, many = (added([b"".join(sse(chunks(*["lorem"] * number)))], stream=True) for number in (20, 70))
    assert many - few <= 3 * 50

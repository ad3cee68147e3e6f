"""Mistral's SDK: each way of calling is one row with its counts, however it ends; the caller gets what the SDK gives without tokentrail."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from tests.support.calls import SilentCall, count_calls
from tests.support.mistral import ASK, ERRORS, HEAD, answer, chunks, mistral_client, sdk
from tests.support.scripted import ScriptedServer, sse
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.recording.runtime import Runtime
from tokentrail.testing import Usages, collect_usages

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")

NO = (503, {"object": "error", "message": "again", "type": "unavailable", "code": "1"})


def retries(milliseconds: int = 60_000, *, connections: bool = False) -> Any:
    utils = sdk.SDKConfiguration.__init__.__globals__["RetryConfig"], sdk.utils.BackoffStrategy
    return utils[0]("backoff", utils[1](1, 2, 1.0, milliseconds), connections)


def seen(usages: Usages) -> list[tuple[Any, ...]]:
    return [(u.ended, u.error_type, u.attempts, u.input_tokens, u.output_tokens, u.cache_read_tokens) for u in usages.recorded]


@pytest.fixture
def stream() -> Iterator[ScriptedServer]:
    with ScriptedServer(sse(chunks("lorem ", "ipsum ", "dolor"))) as server:
        yield server


def test_the_sdks_own_tries_are_attempts_of_one_call(usages: Usages) -> None:
    with ScriptedServer(NO, NO, answer()) as server, mistral_client(server.url) as client:
        client.chat.complete(**ASK, retries=retries())
    assert seen(usages) == [("complete", "", 3, 40, 11, 32)]


async def test_tries_are_attempts_async_and_many_at_once(usages: Usages) -> None:
    with ScriptedServer(NO, NO, NO, answer()) as server:
        async with mistral_client(server.url, retry_config=retries()) as client:
            await asyncio.gather(*(client.chat.complete_async(**ASK) for _ in range(5)))
        assert len(server.asked) == 8
    assert len(usages.recorded) == 5
    assert sum(usage.attempts for usage in usages.recorded) == 8


def test_never_answered(usages: Usages) -> None:
    with ScriptedServer(NO) as server, mistral_client(server.url) as client:
        with pytest.raises(ERRORS):
            client.chat.complete(**ASK, retries=retries(0))
        with pytest.raises(ERRORS):
            client.chat.stream(**ASK)
        assert sum(usage.attempts for usage in usages.recorded) == len(server.asked)
    assert [(u.ended, u.error_type, u.input_tokens) for u in usages.recorded] == [("error", "503", None)] * 2


def test_nobody_listens(usages: Usages) -> None:
    with ScriptedServer(answer()) as server:
        url = server.url
    with mistral_client(url) as client, pytest.raises(sdk.httpx.ConnectError):
        client.chat.complete(**ASK)
    assert [(u.ended, u.attempts) for u in usages.recorded] == [("error", 1)]
    assert usages[0].error_type.endswith("ConnectError")


def test_a_stream_is_recorded_when_it_is_read(stream: ScriptedServer, usages: Usages) -> None:
    with mistral_client(stream.url) as client:
        told = client.chat.stream(**ASK)
        for _ in told:
            assert not usages.recorded
        told.response.close()
    assert seen(usages) == [("complete", "", 1, 40, 11, 32)]
    assert usages[0].output_chars == len("lorem ipsum dolor")
    assert usages[0].time_to_first_chunk_ns
    assert not current.runtime.streams
    assert not {"close", "iter_bytes", "iter_raw"} & set(vars(told.response))


@pytest.mark.parametrize("read", [0, 1, 3])
def test_a_stream_that_is_left(usages: Usages, read: int) -> None:
    with ScriptedServer([*sse(chunks(*["lorem "] * 3000, usage=None), done=False)]) as server, mistral_client(server.url) as client:
        with client.chat.stream(**ASK) as told:
            for _ in range(read):
                next(told)
        assert [usage.ended for usage in usages.recorded] == ["partial"]
        dropped = client.chat.stream(**ASK)
        for _ in range(read):
            next(dropped)
        del dropped
        gc.collect()
        usages.wait_for(2)
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2
    assert not current.runtime.streams


async def test_a_stream_that_is_left_async(usages: Usages) -> None:
    with ScriptedServer([*sse(chunks(*["lorem "] * 3000, usage=None), done=False)]) as server:
        async with mistral_client(server.url) as client:
            async with await client.chat.stream_async(**ASK) as told:
                await told.__anext__()
            assert [usage.ended for usage in usages.recorded] == ["partial"]
            told = await client.chat.stream_async(**ASK)
            async for _ in told:
                break
            del told
            gc.collect()
            await usages.wait_for_async(2)
    assert [usage.ended for usage in usages.recorded] == ["partial"] * 2


async def test_a_cancelled_stream_is_partial(usages: Usages) -> None:
    parts = sse(chunks("lorem"), done=False)
    with ScriptedServer(parts[:1] * 3) as server:
        async with mistral_client(server.url) as client:
            told = await client.chat.stream_async(**ASK)
            task = asyncio.ensure_future(told.__anext__())
            await task
            await told.response.aclose()
    assert [usage.ended for usage in usages.recorded] == ["partial"]


def test_a_stream_that_breaks_off(usages: Usages) -> None:
    with ScriptedServer(sse(chunks("lorem ", usage=None)[:2], done=False)) as server, mistral_client(server.url) as client:
        list(client.chat.stream(**ASK))
    assert [(u.ended, u.output_chars) for u in usages.recorded] == [("partial", 6)]


def test_a_file_is_not_read_for_its_model(usages: Usages) -> None:
    told = {
        "model": "voxtral-mini-2507",
        "text": "lorem",
        "language": None,
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 131, "prompt_audio_seconds": 9},
    }

    class Form(ScriptedServer):
        form = b""

        def answer(self, request: Any, body: bytes) -> None:
            self.form = body
            super().answer(request, b"")

    with Form(told) as server, mistral_client(server.url) as client:
        client.audio.transcriptions.complete(model="voxtral-mini-latest", file={"file_name": "a.mp3", "content": b"RIFF" * 100})
        assert b"RIFF" * 100 in server.form
    (usage,) = usages.recorded
    assert (usage.request_model, usage.input_tokens, usage.audio_input_tokens, usage.output_tokens) == ("voxtral-mini-latest", 129, 125, 2)


def test_the_clouds_clients_name_who_answers(usages: Usages, known_as: Any) -> None:
    azure, gcp = (pytest.importorskip(f"mistralai.{cloud}.client.sdk") for cloud in ("azure", "gcp"))
    with ScriptedServer(answer()) as server:
        with azure.MistralAzure(api_key="none", server_url=server.url) as client:
            client.chat.complete(**ASK)
        with gcp.MistralGCP(project_id="lorem", access_token="none", server_url=server.url) as client:
            client.chat.complete(**ASK)
            client.fim.complete(model="codestral-2", prompt="def ", suffix="pass")
        assert server.paths[1].endswith("/publishers/mistralai/models/mistral-small-latest:rawPredict")
    assert [(u.provider, u.endpoint) for u in usages.recorded] == [
        ("azure.ai.inference", "chat"),
        ("gcp.vertex_ai", "chat"),
        ("gcp.vertex_ai", "fim"),
    ]
    assert [usage.attempts for usage in usages.recorded] == [1] * 3


def test_what_spends_nothing_is_no_row(usages: Usages) -> None:
    with ScriptedServer({"object": "list", "data": []}) as server, mistral_client(server.url) as client:
        client.models.list()
        for call in (
            lambda: client.beta.conversations.get_history(conversation_id="conv_1"),
            lambda: client.classifiers.moderate(model="mistral-moderation-latest", inputs=["lorem"]),
            lambda: client.responses.count_input_tokens(model="m", input="lorem"),
            lambda: client.beta.agents.create(model="m", name="lorem"),
        ):
            with suppress(Exception):
                call()
        assert len(server.paths) >= 4
    assert not usages.recorded


def bare(make: Callable[[], Any]) -> Any:
    uninstrument()
    try:
        return make()
    finally:
        instrument()


def test_an_exception_is_the_sdks_own(usages: Usages) -> None:
    for status, body in ((401, {"detail": "no"}), (422, {"detail": []}), (429, NO[1]), (500, {"a": 1}), (200, {"object": "lorem"}), (302, {})):
        with ScriptedServer((status, body)) as server, mistral_client(server.url) as client:

            def fail(call: Any) -> Any:
                try:
                    call(**ASK)
                except Exception as error:
                    return (
                        type(error),
                        str(error),
                        getattr(error, "body", None),
                        repr(error.__cause__)[:60],
                        len(inspect.getinnerframes(error.__traceback__)),
                    )  # type: ignore[arg-type]
                raise AssertionError("nothing was raised")

            for call in (client.chat.complete, client.chat.stream):
                hooked, plain = fail(call), bare(lambda call=call: fail(call))
                assert hooked[:4] == plain[:4]
    assert [u.error_type for u in usages.recorded][:8] == ["401", "401", "422", "422", "429", "429", "500", "500"]
    assert len(usages.recorded) == 12


def test_functions_and_answers_look_the_same() -> None:
    base = sdk.BaseSDK

    def looks() -> Any:
        found = [base.do_request, base.do_request_async, sdk.SDKHooks.before_request]
        return [(inspect.iscoroutinefunction(each), inspect.signature(each), each.__doc__, each.__qualname__, each.__module__) for each in found]

    assert looks() == bare(looks)
    with ScriptedServer(answer()) as server, mistral_client(server.url) as client:
        told = client.chat.complete(**ASK)
        assert pickle.loads(pickle.dumps(told)) == told == bare(lambda: client.chat.complete(**ASK))


def test_calls_added_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    call = SilentCall()
    monkeypatch.setattr(recorder, "start", lambda _request: call)
    http = sdk.httpx

    def client_of(body: Any, kind: str) -> Any:
        parts = body if isinstance(body, list) else [msgspec.json.encode(body)]

        class Parts(http.SyncByteStream):  # type: ignore[misc,name-defined]
            def __iter__(self) -> Iterator[bytes]:
                return iter(parts)

        transport = http.MockTransport(lambda _request: http.Response(200, headers={"content-type": kind}, stream=Parts()))
        return mistral_client("https://api.mistral.ai", client=http.Client(transport=transport))

    def added(action: Callable[[], Any]) -> int:
        plain = bare(lambda: count_calls(action))
        return int(count_calls(action) - plain)

    client = client_of(answer(), "application/json")
    assert added(lambda: client.chat.complete(**ASK)) <= 65

    def of(number: int) -> int:
        client = client_of(sse(chunks(*["lorem"] * number)), "text/event-stream")
        return added(lambda: list(client.chat.stream(**ASK)))

    assert of(150) - of(50) <= 3 * 100


AGENT: dict[str, Any] = {"agent_id": "ag:1", "messages": ASK["messages"]}
ENTRY = {"object": "entry", "id": "e_1", "agent_id": "ag_1", "created_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:00Z"}


def conversation(entry: dict[str, Any]) -> dict[str, Any]:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"object": "conversation.response", "conversation_id": "conv_1", "outputs": [ENTRY | entry], "usage": usage}


def test_an_agents_call_has_the_model_that_answered(stream: ScriptedServer, usages: Usages) -> None:
    """The request names an agent, and no model."""
    with ScriptedServer(answer()) as server, mistral_client(server.url) as client:
        client.agents.complete(**AGENT)
    with mistral_client(stream.url) as client:
        list(client.agents.stream(**AGENT))
        with client.agents.stream(**AGENT) as told:
            next(told)
    said = {"type": "message.output", "role": "assistant", "content": "lorem", "model": "mistral-medium-2505"}
    with ScriptedServer(conversation(said)) as server, mistral_client(server.url) as client:
        client.beta.conversations.start(agent_id="ag_1", inputs="hello")
        client.beta.conversations.append(conversation_id="conv_1", inputs="hello")
    found = [(usage.endpoint, usage.request_model, usage.response_model, usage.model_family) for usage in usages.recorded]
    assert found == [("agents", "", HEAD["model"], "mistral")] * 3 + [("conversations", "", "mistral-medium-2505", "mistral")] * 2


def test_where_nothing_names_a_model_the_counts_are_there(usages: Usages) -> None:
    """A function that an agent calls may be an entry without a model; a stream may be left before its first chunk."""
    asked = {"type": "function.call", "tool_call_id": "t", "name": "f", "arguments": "{}"}
    with ScriptedServer(conversation(asked)) as server, mistral_client(server.url) as client:
        client.beta.conversations.start(agent_id="ag_1", inputs="hello")
    estimating = Runtime(current.settings.with_(estimate=True))
    with estimating.in_place(), collect_usages() as estimated, ScriptedServer(sse(chunks("lorem"))) as server, mistral_client(server.url) as client:
        client.agents.stream(**AGENT).response.close()
        estimated.settle()
    assert [(u.request_model, u.response_model, u.model_family, u.input_tokens) for u in usages.recorded] == [("", "", "", 5)]
    (left,) = estimated
    assert (left.request_model, left.response_model, left.input_source, left.ended) == ("", "", "estimated", "partial")
    assert (left.input_tokens or 0) > 1

"""What the caller sees is the same with and without the hooks: here, what only some packages have; every package goes through `tests/conformance`."""

from __future__ import annotations

import inspect
import traceback
import types
from collections.abc import Callable
from typing import Any

import groq
import ollama
import openai
import pytest
from openai._models import FinalRequestOptions

from tests.support.provider_sdks import PACKAGES, is_there
from tests.support.recordings import ask, ask_async, error_types, url_of
from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import Recording, ReplayServer, Usages, read_recordings

SHIPPED = [recording for recording in read_recordings() if recording.provider in PACKAGES and is_there(recording.provider, recording.endpoint)]
"""Of the SDKs of single providers; `tests/conformance` holds the same of all others."""
ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


def bare(make: Callable[[], Any]) -> Any:
    uninstrument()
    try:
        return make()
    finally:
        instrument()


def shown(item: Any) -> Any:
    """All that can be seen of an object of an SDK."""
    if hasattr(item, "as_dict"):  # Azure's
        return type(item), item.as_dict(), repr(item)
    fields = sorted(getattr(item, "model_fields_set", ()))
    dumps = [item.model_dump(), item.model_dump_json(exclude_unset=True)]
    return type(item), fields, dumps, repr(item)


def collect_seen(recording: Recording, url: str) -> Any:
    try:
        return [shown(item) for item in ask(recording, url)]
    except error_types() as error:
        return type(error), str(error), getattr(error, "body", None), getattr(error, "status_code", None)


@pytest.mark.parametrize("recording", SHIPPED, ids=lambda recording: recording.id)
@pytest.mark.slow
def test_everything_recorded(recording: Recording, replay: ReplayServer) -> None:
    url = url_of(replay, recording)
    assert collect_seen(recording, url) == bare(lambda: collect_seen(recording, url))


@pytest.mark.parametrize("recording", [r for r in SHIPPED if r.stream and not r.flags["error"]][:12], ids=lambda recording: recording.id)
@pytest.mark.slow
async def test_everything_recorded_async(recording: Recording, replay: ReplayServer) -> None:
    url = url_of(replay, recording)
    hooked = [shown(item) for item in await ask_async(recording, url)]
    uninstrument()
    assert hooked == [shown(item) for item in await ask_async(recording, url)]


class OpenAILike(ScriptedServer):
    """Sends usage in a stream only if it is asked for it."""

    def _answer(self, request: Any, body: dict[str, Any]) -> None:
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        self.answers = [sse(chunks("lorem ", "ipsum", usage=asked))]
        super()._answer(request, body)


def test_usage_is_asked_for_and_hidden_again(usages: Usages, known_as: Any) -> None:
    with OpenAILike() as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")

        def read() -> list[Any]:
            return [(shown(chunk), chunk.to_json()) for chunk in client.chat.completions.create(**ASK, stream=True)]

        known_as(server.port, "openai")
        hooked = read()
        assert server.asked[-1]["stream_options"] == {"include_usage": True}
        assert hooked == bare(read)
        assert "stream_options" not in server.asked[-1]
    assert (usages[0].input_tokens, usages[0].output_tokens, usages[0].source) == (40, 11, "reported")
    assert "usage" not in hooked[0][1]


async def test_usage_is_asked_for_and_hidden_again_async(usages: Usages, known_as: Any) -> None:
    with OpenAILike() as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key="none")
        known_as(server.port, "vllm")
        hooked = [shown(chunk) async for chunk in await client.chat.completions.create(**ASK, stream=True)]
        uninstrument()
        assert hooked == [shown(chunk) async for chunk in await client.chat.completions.create(**ASK, stream=True)]
    assert (usages[0].input_tokens, usages[0].provider) == (40, "vllm")


@pytest.mark.parametrize("given", [{"stream_options": {"include_usage": False}}, {"extra_body": {"stream_options": {"include_obfuscation": False}}}])
def test_a_caller_who_decided_is_not_overruled(given: dict[str, Any], known_as: Any) -> None:
    with OpenAILike() as server:
        known_as(server.port, "openai")
        list(openai.OpenAI(base_url=server.url, api_key="none").chat.completions.create(**ASK, stream=True, **given))
        assert server.asked[-1]["stream_options"] == next(iter(given.values())).get("stream_options", next(iter(given.values())))


def test_a_caller_who_asked_gets_the_usage(known_as: Any) -> None:
    with OpenAILike() as server:
        known_as(server.port, "openai")
        client = openai.OpenAI(base_url=server.url, api_key="none")
        got = list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert got[-1].usage.prompt_tokens == 40
    assert "usage" in got[0].model_fields_set


def test_nobody_unknown_is_asked(known_as: Any) -> None:
    with OpenAILike() as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        list(client.chat.completions.create(**ASK, stream=True))
        known_as(server.port, "mistral_ai")
        list(client.chat.completions.create(**ASK, stream=True))
        known_as(server.port, "openai")
        client.chat.completions.with_raw_response.create(**ASK, stream=True).http_response.read()
        assert ["stream_options" in body for body in server.asked] == [False] * 3


def test_an_azure_that_is_too_old_is_not_asked(known_as: Any) -> None:
    with OpenAILike() as server:
        known_as(server.port, "azure.ai.openai")
        for version in ("2024-06-01", "2024-10-21"):
            azure = openai.AzureOpenAI(azure_endpoint=server.url, api_key="none", api_version=version)
            list(azure.chat.completions.create(**ASK, stream=True))
        assert ["stream_options" in body for body in server.asked] == [False, True]


def test_what_the_caller_passed_is_not_changed(known_as: Any) -> None:
    body = {**ASK, "stream": True}
    with OpenAILike() as server:
        known_as(server.port, "openai")
        client = openai.OpenAI(base_url=server.url, api_key="none")
        list(client.post("/chat/completions", body=body, cast_to=openai.types.chat.ChatCompletionChunk, stream=True, stream_cls=openai.Stream[Any]))
    assert body == {**ASK, "stream": True}


def test_types_stay_the_sdks_own(replay: ReplayServer) -> None:
    with ScriptedServer(sse(chunks("lorem"))) as server, openai.OpenAI(base_url=server.url, api_key="none") as client:
        stream = client.chat.completions.create(**ASK, stream=True)
        assert type(stream) is openai.Stream
        assert stream.response.status_code == 200
        list(stream)
        assert stream.response.is_closed
        assert not {"close", "aclose"} & set(vars(stream.response))
    recording = next(r for r in replay.recordings.values() if r.endpoint == "ollama_chat" and r.stream)

    def generator() -> Any:
        return ollama.Client(host=replay.url("ollama", recording=recording.id)).chat(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )

    ours, theirs = generator(), bare(generator)
    assert isinstance(ours, types.GeneratorType)
    assert (ours.__name__, ours.__qualname__) == (theirs.__name__, theirs.__qualname__)


@pytest.mark.parametrize(
    "function",
    [
        lambda: openai.resources.chat.Completions.create,
        lambda: openai.resources.chat.AsyncCompletions.create,
        lambda: openai.resources.Embeddings.create,
        lambda: openai._base_client.SyncAPIClient.request,
        lambda: openai._base_client.AsyncAPIClient.request,
        lambda: openai.AsyncOpenAI(api_key="none").request,
        lambda: groq.resources.chat.Completions.create,
        lambda: groq._base_client.AsyncAPIClient.request,
        lambda: ollama.Client.chat,
        lambda: ollama.AsyncClient.chat,
        lambda: ollama.AsyncClient._request,
        lambda: ollama.chat,
    ],
)
def test_functions_look_the_same(function: Callable[[], Any]) -> None:
    def looks() -> Any:
        found = function()
        kinds = [inspect.iscoroutinefunction(found), inspect.isfunction(found), inspect.ismethod(found)]
        return kinds, inspect.signature(found), found.__doc__, found.__name__, found.__qualname__, found.__module__

    assert looks() == bare(looks)


def test_an_exception_is_the_sdks_own(usages: Usages) -> None:
    with ScriptedServer((400, {"error": {"message": "no", "type": "invalid_request_error", "code": "bad"}})) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none", max_retries=0)

        def fail() -> BaseException:
            try:
                client.chat.completions.create(**ASK)
            except openai.OpenAIError as error:
                return error
            raise AssertionError("nothing was raised")

        hooked, plain = fail(), bare(fail)
    assert type(hooked) is type(plain) is openai.BadRequestError
    assert (str(hooked), hooked.body, hooked.__cause__, repr(hooked.__context__)) == (
        str(plain),
        plain.body,
        plain.__cause__,
        repr(plain.__context__),
    )
    assert traceback.extract_tb(hooked.__traceback__)[-1].name == traceback.extract_tb(plain.__traceback__)[-1].name
    assert [(usage.ended, usage.error_type, usage.input_tokens) for usage in usages.recorded] == [("error", "400", None)]


NULLS = [{**chunk, "usage": None} for chunk in chunks("lorem ", "ipsum")]
"""A stream as Together sends it unasked: `"usage": null` in every chunk, and the usage in the last one."""


@pytest.mark.parametrize("provider", ["together", "openai", None])
def test_what_is_sent_unasked_stays(provider: str | None, known_as: Any, usages: Usages) -> None:
    """Where nobody asked for usage, its fields are the provider's own: in the chunks, and in the bytes."""
    stated = sse([*NULLS[:-1], {**NULLS[-1], "usage": {"prompt_tokens": 40, "completion_tokens": 11, "total_tokens": 51}}])
    with ScriptedServer(stated) as server:
        client = openai.OpenAI(base_url=server.url, api_key="none")
        if provider:
            known_as(server.port, provider)
        given = {"stream_options": {}} if provider == "openai" else {}  # who decided is not asked

        def read() -> Any:
            items = [(shown(chunk), chunk.to_json()) for chunk in client.chat.completions.create(**ASK, stream=True, extra_body=given)]
            with client.chat.completions.with_streaming_response.create(**ASK, stream=True, extra_body=given) as response:
                return items, b"".join(response.iter_bytes())

        hooked = read()
        assert hooked == bare(read)
    assert '"usage": null' in hooked[0][0][1]
    assert b'"usage": null' in hooked[1]
    assert [usage.input_tokens for usage in usages.recorded] == [40, 40]


def test_raw_bytes_of_a_stream_hold_no_usage_that_nobody_asked_for(known_as: Any) -> None:
    """A caller who reads bytes is not helped by a chunk that is hidden: such a request is not changed."""
    with OpenAILike() as server:
        known_as(server.port, "openai")
        client = openai.OpenAI(base_url=server.url, api_key="none")

        def read() -> Any:
            with client.chat.completions.with_streaming_response.create(**ASK, stream=True) as response:
                return b"".join(response.iter_bytes())

        hooked = read()
        assert hooked == bare(read)
    assert b"usage" not in hooked


def test_options_that_the_caller_has_made_stay_as_they_are(usages: Usages, known_as: Callable[[int, str], None]) -> None:
    """A request may be sent again with the same options; what tokentrail changes is a copy."""
    with ScriptedServer(completion()) as server, openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        options = FinalRequestOptions.construct(method="post", url="/chat/completions", json_data={**ASK})
        before = dict(vars(options))
        for _ in range(2):
            assert client.request(openai.types.chat.ChatCompletion, options)
            assert dict(vars(options)) == before, "of a host that nothing names, the answer is looked at"
    with ScriptedServer(sse(chunks("lorem", usage=True))) as server, openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        known_as(server.port, "openai")
        options = FinalRequestOptions.construct(method="post", url="/chat/completions", json_data={**ASK, "stream": True})
        assert list(client.request(openai.types.chat.ChatCompletionChunk, options, stream=True, stream_cls=openai.Stream[Any]))
        assert server.asked[0]["stream_options"] == {"include_usage": True}
        assert options.json_data == {**ASK, "stream": True}
    assert [usage.input_tokens for usage in usages.recorded] == [40, 40, 40]

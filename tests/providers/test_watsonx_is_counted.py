"""Every way of IBM's SDK is one row with the tokens that the answer states; its tries are attempts of one call."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripted import ScriptedServer, chunks, completion, sse
from tests.support.watsonx import BUSY, CHAT, EMBEDDED, ERROR, GENERATED, RANKED, USAGE, chat_events, client_of, events, generation_events, model_of
from tokentrail import track_tokens
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.testing import Usages, read_recordings

pytest.importorskip("ibm_watsonx_ai", reason="make test-apart installs it")

import httpx
from ibm_watsonx_ai.foundation_models import Embeddings, ModelInference, Rerank
from ibm_watsonx_ai.gateway import Gateway
from ibm_watsonx_ai.wml_client_error import WMLClientError

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
ASKED = [{"role": "user", "content": "abcde"}]


def facts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(each.endpoint, each.input_tokens, each.output_tokens, each.ended, each.attempts) for each in usages.recorded]


CHATTED = ("chat", 24, 9, "complete", 1)
MADE = ("generate", 7, 12, "complete", 1)


async def test_chat(usages: Usages) -> None:
    with ScriptedServer(CHAT) as server:
        model = model_of(server.url)
        assert model.chat(messages=ASKED) == CHAT
        assert await model.achat(messages=ASKED) == CHAT
    assert facts(usages) == [CHATTED] * 2
    only = usages.recorded[0]
    assert (only.provider, only.gen_ai_operation, only.operation, only.response_id) == ("ibm.watsonx.ai", "chat", "chat", "chatcmpl-a1")
    assert (only.request_model, only.response_model, only.input_chars) == ("ibm/granite", "ibm/granite-3-8b-instruct", 5)
    assert (only.server_address, only.server_port, only.input_source) == ("127.0.0.1", server.port, "reported")


async def test_chat_streams(usages: Usages) -> None:
    with ScriptedServer(events(chat_events())) as server:
        model = model_of(server.url)
        assert list(model.chat_stream(messages=ASKED)) == chat_events()
        assert [each async for each in await model.achat_stream(messages=ASKED)] == chat_events()
    assert facts(usages) == [CHATTED] * 2
    assert {(each.stream, each.output_chars, each.response_model) for each in usages.recorded} == {(True, 11, "ibm/granite-3-8b-instruct")}


async def test_generated_text(usages: Usages) -> None:
    with ScriptedServer(GENERATED) as server:
        model = model_of(server.url)
        assert model.generate("abc") == GENERATED
        assert model.generate_text("abc") == "lorem"
        assert await model.agenerate("abc") == GENERATED
    assert facts(usages) == [MADE] * 3
    only = usages.recorded[0]
    assert (only.gen_ai_operation, only.operation, only.input_chars, only.output_chars) == ("text_completion", "generation", 3, 5)


async def test_streams_of_generated_text(usages: Usages) -> None:
    with ScriptedServer(events(generation_events())) as server:
        model = model_of(server.url)
        assert list(model.generate_text_stream("abc")) == ["", "lorem", " ipsum", ""]
        assert list(model.generate_text_stream("abc", raw_response=True)) == generation_events()
        assert [each async for each in await model.agenerate_stream("abc")] == generation_events()
    assert facts(usages) == [("generate", 7, 3, "complete", 1)] * 3
    assert {each.output_chars for each in usages.recorded} == {11}


async def test_many_prompts_are_their_callers(usages: Usages) -> None:
    """The SDK sends them in threads of its own."""

    @track_tokens("summarize", tenant_id="acme")
    def ask(model: Any) -> None:
        assert model.generate(["abc", "de", "f"]) == [GENERATED] * 3
        assert len(list(model.generate(["abc", "de"], async_mode=True))) == 2

    with ScriptedServer(GENERATED) as server:
        ask(model_of(server.url))
    assert facts(usages) == [MADE] * 5
    assert {(each.operation, each.tenant_id) for each in usages.recorded} == {("summarize", "acme")}


async def test_embeddings(usages: Usages) -> None:
    @track_tokens("summarize", tenant_id="acme")
    def ask(model: Any) -> None:
        model.embed_documents(["abc", "de", "f"])

    with ScriptedServer(EMBEDDED) as server:
        client = client_of(server.url)
        model = Embeddings(model_id="ibm/slate", api_client=client, batch_size=2)
        assert model.generate(["abc", "de"]) == EMBEDDED
        assert model.embed_query("abcde") == [0.5, 0.25]
        await model.aembed_documents(["abc", "de"])
        ask(model)
        assert sorted(each["inputs"] for each in server.asked[-2:]) == [["abc", "de"], ["f"]]
    assert facts(usages) == [("embeddings", 11, None, "complete", 1)] * 5
    only = usages.recorded[0]
    assert (only.gen_ai_operation, only.token_type, only.input_chars, only.response_model) == ("embeddings", "embedding", 5, "ibm/slate-125m")
    assert [each.tenant_id for each in usages.recorded[-2:]] == ["acme"] * 2


def test_rerank(usages: Usages) -> None:
    with ScriptedServer(RANKED) as server:
        assert Rerank(model_id="cross-encoder/ms", api_client=client_of(server.url)).generate("abc", ["de", "f"]) == RANKED
    assert facts(usages) == [("rerank", 31, None, "complete", 1)]
    assert (usages.recorded[0].input_chars, usages.recorded[0].token_type) == (6, "embedding")


async def test_vectors_that_are_refused(usages: Usages) -> None:
    """After its wait the asynchronous SDK fails at closing the response, and sends nothing again."""
    with ScriptedServer(BUSY) as server:
        model = Embeddings(model_id="ibm/slate", api_client=client_of(server.url))
        with pytest.raises(RuntimeError, match="sync close"):
            await model.agenerate(["abc"])
    assert facts(usages) == [("embeddings", None, None, "error", 1)]
    assert usages.recorded[0].error_type == "429"


def test_a_deployment_names_no_model(usages: Usages) -> None:
    with ScriptedServer(CHAT) as server:
        model = ModelInference(deployment_id="a1", api_client=client_of(server.url), validate=False)
        model.chat(messages=ASKED)
        assert server.paths[0].startswith("/ml/v1/deployments/a1/text/chat?")
    assert facts(usages) == [CHATTED]
    assert (usages.recorded[0].request_model, usages.recorded[0].response_model) == ("", "ibm/granite-3-8b-instruct")


async def test_the_model_gateway(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        gateway = Gateway(api_client=client_of(server.url))
        gateway.chat.completions.create(model="a", messages=ASKED)
        await gateway.chat.completions.acreate(model="a", messages=ASKED)
    assert facts(usages) == [("chat", 40, 11, "complete", 1)] * 2
    assert {(each.request_model, each.cache_read_tokens, each.reasoning_tokens) for each in usages.recorded} == {("a", 32, 4)}


async def test_the_gateways_streams(usages: Usages) -> None:
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    with ScriptedServer(sse(chunks("lorem", " ipsum", usage=True))) as server:
        chats = Gateway(api_client=client_of(server.url)).chat.completions
        assert len(list(chats.create(model="a", messages=ASKED, **asked))) == 5
        assert len([each async for each in await chats.acreate(model="a", messages=ASKED, **asked)]) == 5
        assert server.paths[0].startswith("/ml/gateway/v1/chat/completions")
    assert facts(usages) == [("chat", 40, 11, "complete", 1)] * 2
    assert {(each.stream, each.output_chars, each.request_model) for each in usages.recorded} == {(True, 11, "a")}


async def test_the_gateways_completions(usages: Usages) -> None:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "b", "system_fingerprint": None}
    parts = [head | {"choices": [{"index": 0, "text": text, "finish_reason": reason}]} for text, reason in (("lorem", None), (" ipsum", "stop"))]
    whole = head | {"choices": [{"index": 0, "text": "lorem ipsum", "finish_reason": "stop"}], "usage": USAGE}
    with ScriptedServer(whole) as server:
        completions = Gateway(api_client=client_of(server.url)).completions
        assert completions.create(model="a", prompt="abc") == whole
        assert await completions.acreate(model="a", prompt="abc") == whole
    streamed = sse([*parts, head | {"choices": [], "usage": USAGE}])
    with ScriptedServer(streamed, streamed, sse([parts[0], {"error": {"message": "no"}}])) as server:
        completions = Gateway(api_client=client_of(server.url)).completions
        assert len(list(completions.create(model="a", prompt="abc", stream=True))) == 3
        assert len([each async for each in await completions.acreate(model="a", prompt="abc", stream=True)]) == 3
        list(completions.create(model="a", prompt="abc", stream=True))
    assert facts(usages) == [("completions", 24, 9, "complete", 1)] * 4 + [("completions", None, None, "error", 1)]
    assert {(each.input_chars, each.output_chars, each.response_model) for each in usages.recorded[:4]} == {(3, 11, "b")}


async def test_the_gateways_embeddings(usages: Usages) -> None:
    vectors = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "b"}
    answer = vectors | {"usage": {"prompt_tokens": 9, "total_tokens": 9}}
    with ScriptedServer(answer) as server:
        embeddings = Gateway(api_client=client_of(server.url)).embeddings
        embeddings.create(model="a", input="abc")
        await embeddings.acreate(model="a", input=["abc", "de"])
    assert facts(usages) == [("embeddings", 9, None, "complete", 1)] * 2
    assert [(each.token_type, each.input_chars, each.request_model) for each in usages.recorded] == [("embedding", 3, "a"), ("embedding", 5, "a")]


class OwnClient(httpx.Client):
    """A client of the application's, with a `send` of its own."""

    sent = 0

    def send(self, *args: Any, **kwargs: Any) -> httpx.Response:
        self.sent += 1
        return super().send(*args, **kwargs)


async def test_clients_of_httpx_that_the_application_hands_over(usages: Usages) -> None:
    own, other = OwnClient(timeout=20), httpx.AsyncClient(timeout=20)
    with ScriptedServer(CHAT, events(chat_events()), GENERATED, CHAT, events(chat_events()), (404, ERROR), BUSY, CHAT) as server:
        model = model_of(server.url, httpx_client=own, async_httpx_client=other)
        assert model.chat(messages=ASKED) == CHAT
        assert list(model.chat_stream(messages=ASKED)) == chat_events()
        assert model.generate("abc") == GENERATED
        assert await model.achat(messages=ASKED) == CHAT
        assert [each async for each in await model.achat_stream(messages=ASKED)] == chat_events()
        with pytest.raises(WMLClientError):
            model.chat(messages=ASKED)
        assert model.chat(messages=ASKED) == CHAT
        httpx.Client().post(f"{server.url}/ml/v1/text/chat", json={})
        assert own.sent == 6
    tried = [("chat", None, None, "error", 1), ("chat", 24, 9, "complete", 2)]
    assert facts(usages) == [CHATTED, CHATTED, MADE, CHATTED, CHATTED, *tried]
    assert {each.stream for each in usages.recorded[1::3]} == {True}


def test_a_client_that_is_set_later_and_one_that_is_no_more_followed(usages: Usages) -> None:
    with ScriptedServer(CHAT) as server:
        model = model_of(server.url)
        client = model._client
        client.httpx_client = own = OwnClient(timeout=20)
        model = ModelInference(model_id="ibm/granite", api_client=client, validate=False)
        model.chat(messages=ASKED)
        uninstrument()
        model.chat(messages=ASKED)
        instrument()
        model.chat(messages=ASKED)
        assert own.sent == 3
    assert facts(usages) == [CHATTED] * 2


def test_what_spends_nothing_is_no_call(usages: Usages) -> None:
    with ScriptedServer({**GENERATED, "result": {"token_count": 3}}) as server:
        model_of(server.url).tokenize("abc")
        client = client_of(server.url)
        client.httpx_client.post(f"{server.url}/v1/chat/completions", json={"model": "a"})
        client.httpx_client.get(f"{server.url}/ml/v1/text/chat")
    assert facts(usages) == []


async def test_errors(usages: Usages) -> None:
    with ScriptedServer((404, ERROR)) as server:
        model = model_of(server.url)
        for ask in (lambda: model.chat(messages=ASKED), lambda: list(model.chat_stream(messages=ASKED)), lambda: model.generate("abc")):
            with pytest.raises(WMLClientError):
                ask()
        with pytest.raises(WMLClientError) as raised:
            await model.achat(messages=ASKED)
        assert len(usages.recorded) == 4  # before the exception is dropped
        with pytest.raises(WMLClientError):
            _ = [each async for each in await model.achat_stream(messages=ASKED)]
        del raised
    assert facts(usages) == [(name, None, None, "error", 1) for name in ("chat", "chat", "generate", "chat", "chat")]
    assert {each.error_type for each in usages.recorded} == {"404"}


async def test_tries_are_attempts(usages: Usages) -> None:
    answers = (CHAT, events(chat_events()), GENERATED)
    with ScriptedServer(*(each for answer in answers for each in (BUSY, answer)), BUSY) as server:
        model = model_of(server.url)
        model.chat(messages=ASKED)
        list(model.chat_stream(messages=ASKED))
        model.generate("abc")
        with pytest.raises(WMLClientError):
            model.chat(messages=ASKED)
    assert facts(usages) == [
        ("chat", 24, 9, "complete", 2),
        ("chat", 24, 9, "complete", 2),
        ("generate", 7, 12, "complete", 2),
        ("chat", None, None, "error", 2),
    ]
    assert usages.recorded[3].error_type == "429"


async def test_tries_of_async_streams_are_attempts(usages: Usages) -> None:
    with ScriptedServer(BUSY, events(chat_events())) as server:
        assert len([each async for each in await model_of(server.url).achat_stream(messages=ASKED)]) == 5
    assert facts(usages) == [("chat", 24, 9, "complete", 2)]


def test_tries_of_the_transport_are_attempts(usages: Usages) -> None:
    with ScriptedServer((500, ERROR), CHAT) as server:
        model_of(server.url).chat(messages=ASKED)
    assert facts(usages) == [("chat", 24, 9, "complete", 2)]


def test_nobody_listens(usages: Usages) -> None:
    with ScriptedServer(CHAT) as server:
        model = model_of(server.url)
    with pytest.raises(httpx.ConnectError):
        model.chat(messages=ASKED)
    assert facts(usages) == [("chat", None, None, "error", 1)]


async def test_streams_that_are_left(usages: Usages) -> None:
    with ScriptedServer(events(chat_events())) as server:
        model = model_of(server.url)
        stream = model.chat_stream(messages=ASKED)
        next(stream)
        stream.close()
        other = await model.achat_stream(messages=ASKED)
        await anext(other)
        await other.aclose()
        dropped = model.chat_stream(messages=ASKED)
        next(dropped)
        del dropped
    assert [(each.endpoint, each.ended) for each in usages.recorded] == [("chat", "partial")] * 3


async def test_a_stream_that_fails(usages: Usages) -> None:
    with ScriptedServer(events([*generation_events()[:2], ERROR], failed=True), events([*chat_events()[:2], ERROR], failed=True)) as server:
        model = model_of(server.url)
        with pytest.raises(WMLClientError):
            list(model.generate_text_stream("abc"))
        with pytest.raises(WMLClientError):
            _ = [each async for each in await model.achat_stream(messages=ASKED)]
    assert [(each.endpoint, each.ended, each.input_tokens) for each in usages.recorded[:1]] == [("generate", "error", 7)]
    assert usages.recorded[1].ended == "error"


def test_a_stream_that_is_cut(usages: Usages) -> None:
    with ScriptedServer(events(generation_events()[:3])) as server:
        list(model_of(server.url).generate_text_stream("abc"))
    assert facts(usages) == [("generate", 7, 2, "partial", 1)]


@pytest.mark.parametrize("count", ["6", 6.0, -1, 2**63, None, [6], {"a": None}, True])
def test_counts_that_are_none(count: Any, usages: Usages) -> None:
    result = {**GENERATED["results"][0], "input_token_count": count}  # type: ignore[dict-item]
    with ScriptedServer(
        {**GENERATED, "results": [result]}, events([{**GENERATED, "results": [result]}]), {**RANKED, "input_token_count": count}
    ) as server:
        model = model_of(server.url)
        model.generate("abc")
        list(model.generate_text_stream("abc"))
        Rerank(model_id="a", api_client=client_of(server.url)).generate("abc", ["de"])
    wanted = 6 if count in ("6", 6.0) else None
    assert [each.input_tokens for each in usages.recorded] == [wanted] * 3


@pytest.mark.parametrize("body", ["<html>lorem</html>", "", "[1]", '{"results": [null, {"a": null}], "usage": 3}'])
def test_a_page_instead_of_an_answer(body: str, usages: Usages) -> None:
    with ScriptedServer(body) as server:
        for _ in range(2):
            with suppress(WMLClientError, ValueError, LookupError, TypeError):
                model_of(server.url).generate("abc")
    assert [(each.input_tokens, each.output_tokens) for each in usages.recorded] == [(None, None)] * 2
    assert {each.ended for each in usages.recorded} == {"complete" if body.startswith("{") else "error"}


def test_the_caller_sees_the_same(usages: Usages) -> None:
    def ask(model: Any) -> list[Any]:
        found = [model.chat(messages=ASKED), list(model.chat_stream(messages=ASKED)), model.generate(["abc", "de"])]
        with pytest.raises(WMLClientError) as raised:
            model.chat(messages=ASKED)
        return [*found, str(raised.value), type(raised.value)]

    answers = (CHAT, events(chat_events()), GENERATED, GENERATED, (404, ERROR))
    with ScriptedServer(*answers, *answers) as server:
        model = model_of(server.url)
        counted = ask(model)
        uninstrument()
        assert counted == ask(model)
        instrument()
        assert sorted(map(json.dumps, server.asked[:5])) == sorted(map(json.dumps, server.asked[5:]))  # threads have no order
    assert len(usages.recorded) == 5


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
async def test_the_corpus(usages: Usages) -> None:
    recordings = [each for each in read_recordings(CORPUS) if each.provider == "watsonx"]
    for recording in recordings:
        with ScriptedServer(json.loads(recording.body)) as server:
            model = model_of(server.url)
            model.generate(recording.request["input"])
            await model.agenerate(recording.request["input"])
    wanted = [(each.expected["input_tokens"], each.expected["output_tokens"], each.expected["model"]) for each in recordings for _ in range(2)]
    assert [(each.input_tokens, each.output_tokens, each.response_model) for each in usages.recorded] == wanted
    assert len(wanted) >= 4

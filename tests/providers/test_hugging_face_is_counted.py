"""Every way of Hugging Face's client to ask for text or vectors is one row, with what the answer states, and the caller sees no difference."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient

from tests.support.huggingface import MESSAGES, async_client_at, client_at, generated, lines, tokens, whole
from tests.support.scripted import USAGE, ScriptedServer, chunks, completion, sse
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.integrations.shapes.huggingface import read_vectors
from tokentrail.testing import ReplayServer, Usages, read_recordings

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"


def facts(usages: Usages) -> list[tuple[Any, ...]]:
    return [(each.endpoint, each.input_tokens, each.output_tokens, each.ended) for each in usages.recorded]


def test_a_chat_by_both_names(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        client = client_at(server.url)
        client.chat_completion(messages=MESSAGES, model=None)
        client.chat.completions.create(messages=MESSAGES)
        assert server.paths == ["/v1/chat/completions"] * 2
    assert facts(usages) == [("chat", 40, 11, "complete")] * 2
    first = usages.recorded[0]
    assert (first.provider, first.gen_ai_operation, first.operation, first.token_type) == ("huggingface", "chat", "chat", "llm")
    assert (first.cache_read_tokens, first.reasoning_tokens) == (32, 4)
    assert (first.response_model, first.response_id) == ("gpt-4o-mini-2024-07-18", "chatcmpl-scripted")
    assert (first.server_address, first.server_port) == ("127.0.0.1", server.port)
    assert (first.request_model, first.stream, first.input_source) == ("", False, "reported")


async def test_a_chat_async(usages: Usages) -> None:
    with ScriptedServer(completion()) as server:
        async with async_client_at(server.url) as client:
            answer = await client.chat.completions.create(messages=MESSAGES)
    assert answer.choices[0].message.content == "lorem ipsum"
    assert facts(usages) == [("chat", 40, 11, "complete")]


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream(usage: bool, usages: Usages) -> None:
    with ScriptedServer(sse(chunks("lorem ", "ipsum", usage=usage))) as server:
        options, client = {"stream_options": {"include_usage": True}} if usage else {}, client_at(server.url)
        seen = list(client.chat_completion(messages=MESSAGES, stream=True, **options))
    assert len(seen) == 5 if usage else 4
    assert facts(usages) == [("chat", 40, 11, "complete") if usage else ("chat", None, None, "complete")]
    assert usages.recorded[0].stream
    assert usages.recorded[0].output_chars == len("lorem ipsum")


async def test_a_stream_async(usages: Usages) -> None:
    with ScriptedServer(sse(chunks("lorem ", "ipsum", usage=True))) as server:
        async with async_client_at(server.url) as client:
            stream = await client.chat_completion(messages=MESSAGES, stream=True)
            texts = [chunk.choices[0].delta.content for chunk in [each async for each in stream] if chunk.choices]
            assert facts(usages) == [("chat", 40, 11, "complete")]
    assert "".join(filter(None, texts)) == "lorem ipsum"


def test_a_server_that_accepts_it_is_asked_for_the_usage(usages: Usages, known_as: Callable[[int, str], None]) -> None:
    """The caller sees what the caller asked for: neither the last event, nor `"usage": null`."""
    with ScriptedServer(sse(chunks("lorem", usage=True)), sse(chunks("lorem"))) as server:
        known_as(server.port, "vllm")
        client = client_at(server.url)
        seen = list(client.chat_completion(messages=MESSAGES, stream=True))
        uninstrument()
        plain = list(client.chat_completion(messages=MESSAGES, stream=True))
        instrument()
        assert [each.get("stream_options") for each in server.asked] == [{"include_usage": True}, None]
    assert seen == plain
    assert facts(usages) == [("chat", 40, 11, "complete")]
    assert usages.recorded[0].provider == "vllm"


@pytest.mark.parametrize("details", [True, False])
def test_text_generation(details: bool, usages: Usages) -> None:
    prefill = [{"id": 1, "text": "a", "logprob": None}, {"id": 2, "text": "b", "logprob": -1.0}]
    answer = generated(prefill=prefill) if details else [{"generated_text": "lorem ipsum"}]
    with ScriptedServer(whole(answer)) as server:
        seen = client_at(server.url).text_generation("abc", details=details, decoder_input_details=details)
    assert (seen.generated_text if details else seen) == "lorem ipsum"
    assert facts(usages) == [("generate", 2, 7, "complete") if details else ("generate", None, None, "complete")]
    only = usages.recorded[0]
    assert (only.gen_ai_operation, only.operation) == ("text_completion", "generation")
    assert (only.input_chars, only.output_chars) == (3, 11)


def test_the_sequences_that_were_not_chosen_were_generated_too(usages: Usages) -> None:
    others = [{"finish_reason": "length", "generated_text": "x", "generated_tokens": 6, "prefill": [], "tokens": []}] * 2
    with ScriptedServer(whole(generated(best_of_sequences=others))) as server:
        client_at(server.url).text_generation("abc", details=True, best_of=3)
    assert facts(usages) == [("generate", None, 19, "complete")]


@pytest.mark.parametrize("details", [True, False])
def test_a_stream_of_tokens(details: bool, usages: Usages) -> None:
    """The last event states the details whether the caller asks for them or not."""
    with ScriptedServer(lines(tokens("lorem", " ipsum"))) as server:
        client = client_at(server.url)  # the SDK closes the stream when its client is dropped
        seen = list(client.text_generation("abc", stream=True, details=details))
    assert [each.token.text if details else each for each in seen] == ["lorem", " ipsum"]
    assert facts(usages) == [("generate", 5, 2, "complete")]
    assert usages.recorded[0].output_chars == len("lorem ipsum")


async def test_a_stream_of_tokens_async(usages: Usages) -> None:
    with ScriptedServer(lines(tokens("lorem", " ipsum"))) as server:
        async with async_client_at(server.url) as client:
            stream = await client.text_generation("abc", stream=True)
            assert [each async for each in stream] == ["lorem", " ipsum"]
    assert facts(usages) == [("generate", 5, 2, "complete")]


def test_a_stream_that_is_left(usages: Usages) -> None:
    with ScriptedServer(lines(tokens("lorem", " ipsum", "dolor")), sse(chunks("lorem", "ipsum"))) as server:
        client = client_at(server.url)
        generation = client.text_generation("abc", stream=True)
        assert next(generation) == "lorem"
        generation.close()
        chat = client.chat_completion(messages=MESSAGES, stream=True)
        next(chat)
        del generation, chat
        gc.collect()
        assert facts(usages) == [("generate", None, None, "partial"), ("chat", None, None, "partial")]


async def test_an_async_stream_that_is_left(usages: Usages) -> None:
    with ScriptedServer(sse(chunks("lorem", "ipsum"))) as server:
        async with async_client_at(server.url) as client:
            chat = await client.chat_completion(messages=MESSAGES, stream=True)
            await chat.__anext__()
            del chat
            gc.collect()
            await asyncio.sleep(0)
            await usages.wait_for_async(1)
    assert facts(usages) == [("chat", None, None, "partial")]


def test_an_error_inside_a_stream(usages: Usages) -> None:
    failed = [{"error": "lorem", "error_type": "overloaded"}]
    with ScriptedServer(lines([*tokens("lorem", end=False), *failed]), sse([*chunks("lorem", finish=None), *failed])) as server:
        client = client_at(server.url)
        with pytest.raises(Exception, match="lorem"):
            list(client.text_generation("abc", stream=True))
        with pytest.raises(Exception, match="lorem"):
            list(client.chat_completion(messages=MESSAGES, stream=True))
    assert facts(usages) == [("generate", None, None, "error"), ("chat", None, None, "error")]


def test_a_refused_call(usages: Usages) -> None:
    with ScriptedServer((429, {"error": "lorem"})) as server, pytest.raises(Exception, match="429"):
        client_at(server.url).chat_completion(messages=MESSAGES)
    assert facts(usages) == [("chat", None, None, "error")]
    assert usages.recorded[0].error_type == "429"


def test_vectors(usages: Usages) -> None:
    with ScriptedServer(whole([[0.5, 0.25]])) as server:
        assert client_at(server.url).feature_extraction("abc").tolist() == [[0.5, 0.25]]
    assert facts(usages) == [("embeddings", None, None, "complete")]
    only = usages.recorded[0]
    assert (only.token_type, only.operation, only.input_chars) == ("embedding", "vector_search", 3)


def test_vectors_of_another_provider(usages: Usages) -> None:
    """As Scaleway, SambaNova and Nebius answer: in OpenAI's shape."""
    reading, ended = read_vectors({"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}})
    assert (reading.input_tokens, reading.output_tokens, reading.model, ended) == (3, None, "m", "complete")


def test_other_tasks_are_no_calls_of_a_language_model(usages: Usages) -> None:
    with ScriptedServer({"answer": "lorem", "score": 0.5, "start": 0, "end": 5}) as server:
        client_at(server.url).question_answering(question="abc", context="def")
    assert facts(usages) == []


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": "17", "completion_tokens": 5.0}, (17, 5)),
        ({"prompt_tokens": -1, "completion_tokens": 2**63}, (None, None)),
        ({"prompt_tokens": {"a": [None]}, "completion_tokens": True}, (None, None)),
        (None, (None, None)),
        ([], (None, None)),
    ],
)
def test_counts_that_are_none(usage: Any, counts: tuple[Any, ...], usages: Usages) -> None:
    with ScriptedServer(completion(usage=usage)) as server:
        client_at(server.url).chat_completion(messages=MESSAGES)
    assert [(each.input_tokens, each.output_tokens) for each in usages.recorded] == [counts]


@pytest.mark.parametrize("prefill", [None, "x", 3, {}])
@pytest.mark.parametrize("count", ["7", 7.0, None, -3, [1]])
def test_details_that_are_none(prefill: Any, count: Any, usages: Usages) -> None:
    with ScriptedServer(whole(generated(prefill=prefill, generated_tokens=count))) as server:
        client_at(server.url).text_generation("abc")
    assert facts(usages) == [("generate", None, 7 if count in ("7", 7.0) else None, "complete")]


def test_a_page_instead_of_an_answer(usages: Usages) -> None:
    with ScriptedServer([b"<html>lorem</html>"]) as server, pytest.raises(ValueError):  # noqa: PT011
        client_at(server.url).chat_completion(messages=MESSAGES)
    assert facts(usages) == [("chat", None, None, "error")]


def test_a_cut_stream(usages: Usages) -> None:
    cut = [*sse(chunks("lorem", "ipsum"), done=False)[:2], b'data: {"id": "chatcmpl-scripted", "cho\xc3']
    with ScriptedServer(cut) as server:
        client = client_at(server.url)
        with pytest.raises(ValueError):  # noqa: PT011 - json's own, whose words are not ours
            list(client.chat_completion(messages=MESSAGES, stream=True))
    assert facts(usages) == [("chat", None, None, "partial")]


def test_the_caller_sees_the_same(usages: Usages) -> None:
    asks: list[tuple[Any, Callable[[InferenceClient], Any]]] = [
        (completion(), lambda client: client.chat_completion(messages=MESSAGES)),
        (sse(chunks("lorem", usage=True)), lambda client: list(client.chat_completion(messages=MESSAGES, stream=True))),
        (whole(generated()), lambda client: client.text_generation("abc", details=True)),
        (lines(tokens("lorem")), lambda client: list(client.text_generation("abc", stream=True, details=True))),
    ]
    for answer, ask in asks:
        with ScriptedServer(answer) as server:
            client = client_at(server.url)
            seen = ask(client)
            uninstrument()
            plain = ask(client)
            instrument()
            assert json.dumps(seen) == json.dumps(plain)
            assert server.asked[0] == server.asked[1]
    assert len(usages.recorded) == len(asks)
    assert USAGE["prompt_tokens"] == usages.recorded[0].input_tokens


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
async def test_the_corpus(usages: Usages) -> None:
    recordings = [each for each in read_recordings(CORPUS) if each.provider == "huggingface" and each.endpoint == "chat"]
    assert len(recordings) >= 2
    with ReplayServer(CORPUS, providers=["huggingface"]) as server:
        for recording in recordings:
            asked = {name: recording.request[name] for name in ("messages", "model", "tools") if name in recording.request}
            url = server.url("huggingface", recording=recording.id) + recording.path.removesuffix("/chat/completions")
            InferenceClient(base_url=url, api_key="none").chat.completions.create(**asked)
            async with AsyncInferenceClient(base_url=url, api_key="none") as client:
                await client.chat.completions.create(**asked)
    found = [(each.request_model, each.response_model, each.input_tokens, each.output_tokens, each.cache_read_tokens) for each in usages.recorded]
    stated = ("model", "input_tokens", "output_tokens", "cached_input_tokens")
    assert found == [(each.request["model"], *(each.expected[name] for name in stated)) for each in recordings for _ in range(2)]

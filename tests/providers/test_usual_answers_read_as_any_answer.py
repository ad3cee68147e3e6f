"""What is read by attribute, since it is usual, reads as it does the careful way: of every recording, and of answers that were tampered with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import groq.types
import groq.types.chat
import openai.types
import openai.types.chat
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.json_bodies import documents
from tests.support.require import require
from tests.support.scripted import chunks, completion
from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer
from tokentrail.integrations.shapes import openai_chat, openai_completions
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.shapes.openai_chat import ChatChunks, read_any_chat, read_chat
from tokentrail.integrations.shapes.openai_completions import CompletionChunks, add_any_counts, add_counts, read_any_embeddings, read_embeddings
from tokentrail.testing.recording import SHIPPED

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "open"
COMPLETIONS = (openai.types.chat.ChatCompletion, groq.types.chat.ChatCompletion)
CHUNKS = (openai.types.chat.ChatCompletionChunk, groq.types.chat.ChatCompletionChunk)
EMBEDDINGS = (openai.types.CreateEmbeddingResponse, groq.types.CreateEmbeddingResponse)
EMBEDDED = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}


class CarefulChunks(ChatChunks):
    """Chat chunks that are all read the careful way."""

    __slots__ = ()
    absorb = CompletionChunks.absorb_any


def models_of(document: Any, types: tuple[Any, ...]) -> Iterator[Any]:
    """The document as the SDKs construct it, unchecked, and as JSON that no SDK has parsed."""
    yield Body.of(document)
    for kind in types:
        try:
            yield kind.construct(**copy.deepcopy(document))
        except Exception:
            continue


def outcome_of(read: Callable[..., Any], *given: Any) -> Any:
    """What a function returns, or which exception the guard around it would swallow."""
    try:
        return read(*given)
    except Exception as error:
        return type(error)


def counts_of(add: Callable[[Answer, Any], None], usage: Any) -> Any:
    answer = Answer()
    return outcome_of(add, answer, usage) or answer


def assert_reads_alike(document: Any) -> int:
    """Both ways give equal answers; how many were compared."""
    compared = 0
    for fast, careful, types in ((read_chat, read_any_chat, COMPLETIONS), (read_embeddings, read_any_embeddings, EMBEDDINGS)):
        for model in models_of(document, types):
            assert outcome_of(fast, model) == outcome_of(careful, model)
            usage = getattr(model, "usage", None)
            assert counts_of(add_counts, usage) == counts_of(add_any_counts, usage)
            compared += 1
    return compared


def read_stream(way: type[ChatChunks], kind: Any, events: list[Any], asked: bool) -> Any:
    """What is read of a stream, what of it is hidden from the caller, and what the caller sees of the others."""
    stream = [kind(event) for event in copy.deepcopy(events)]
    chunks = way({"model": "gpt-4o-mini"}, asked)
    hidden = [outcome_of(chunks.absorb, chunk) for chunk in stream]
    answer, ended = chunks.reading(exhausted=True)
    shown = [chunk if isinstance(chunk, dict) else (chunk.__dict__, chunk.__pydantic_fields_set__) for chunk in stream]
    return sanitized(answer, 1), ended, hidden, shown


def assert_streams_alike(events: list[Any]) -> None:
    for asked in (False, True):
        for kind in (*(lambda event, model=model: model.construct(**event) for model in CHUNKS), dict if asked else Body.of):
            fast, careful = (outcome_of(read_stream, way, kind, events, asked) for way in (ChatChunks, CarefulChunks))
            assert fast == careful


@pytest.mark.parametrize(
    "folder", [pytest.param(SHIPPED, id="recordings"), pytest.param(CORPUS, id="corpus", marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_every_recording_reads_alike(folder: Path) -> None:
    if not folder.is_dir():
        require("corpus", "the unreduced recordings are not beside this checkout (../shared/corpus)")
    compared = 0
    for path in sorted(folder.rglob("*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        if recording["response_shape"] not in {"json", "sse"} or recording["response_encoding"] == "base64":
            continue
        found = [document for document in documents(recording) if isinstance(document, dict)]
        if recording["response_shape"] == "sse":
            assert_streams_alike(found)
        else:
            compared += sum(map(assert_reads_alike, found))
    assert compared > 100


@pytest.mark.parametrize("kind", COMPLETIONS[:1])
def test_the_usual_completion_is_read_by_attribute(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_chat, "read_any_chat", None)
    monkeypatch.setattr(openai_completions, "add_any_counts", None)
    answer, ended = read_chat(kind.construct(**completion()))
    assert (answer.input_tokens, answer.output_tokens, answer.cache_read_tokens, answer.reasoning_tokens) == (40, 11, 32, 4)
    assert (answer.output_texts, answer.finish_reasons, answer.response_id, ended) == (["lorem ipsum"], ["stop"], "chatcmpl-scripted", "complete")


@pytest.mark.parametrize("kind", EMBEDDINGS[:1])
def test_usual_embeddings_are_read_by_attribute(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_completions, "read_any_embeddings", None)
    answer, _ = read_embeddings(kind.construct(**EMBEDDED))
    assert (answer.input_tokens, answer.output_tokens, answer.model) == (9, None, "text-embedding-3-small")


class Model:
    """A model of an SDK of tomorrow, which declares all of these fields."""

    __pydantic_extra__ = None

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


def model_of(document: Any) -> Any:
    if isinstance(document, dict):
        return Model(**{name: model_of(value) for name, value in document.items()})
    return [model_of(each) for each in document] if isinstance(document, list) else document


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "tool_calls", "refusal", "content", "new"])
def test_a_message_of_tomorrow_reads_alike(name: str) -> None:
    said = {"content": "lorem", "refusal": None, "tool_calls": None} | {name: "ipsum"}
    document = completion()
    document["choices"][0]["message"] = said
    assert read_chat(model_of(document)) == read_any_chat(model_of(document))
    unordered = model_of(document)
    unordered.choices = dict.fromkeys(unordered.choices)
    assert read_chat(unordered) == read_any_chat(unordered), "what is no list holds no choices"


@pytest.mark.parametrize("name", ["cached_tokens", "completion_tokens", "prompt_tokens_details", "new"])
def test_a_usage_of_tomorrow_reads_alike(name: str) -> None:
    response = model_of(EMBEDDED | {"usage": EMBEDDED["usage"] | {name: 4}})  # type: ignore[operator]
    assert read_embeddings(response) == read_any_embeddings(response)
    usage = model_of(completion()["usage"] | {name: 4})
    assert counts_of(add_counts, usage) == counts_of(add_any_counts, usage)


ODD: Any = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -1, 7, 12.0, 12.5, "", "12", "lorem"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["content", "text", "cached_tokens", "a"]), inner, max_size=2),
    max_leaves=4,
)
NAMES = (
    *(
        "id",
        "model",
        "choices",
        "usage",
        "x_groq",
        "message",
        "delta",
        "finish_reason",
        "content",
        "refusal",
        "reasoning",
        "reasoning_content",
        "tool_calls",
    ),
    *("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details", "prompt_token_details"),
    *("cached_tokens", "num_cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "data", "unknown"),
)
CHANGES = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(NAMES), st.sampled_from(["set", "drop", "twice"]), ODD), min_size=1, max_size=3)


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a document, from the outside to the inside."""
    if isinstance(value, dict):
        yield value
        for each in tuple(value.values()):
            yield from objects_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from objects_in(each)


def changed(document: Any, changes: Any) -> Any:
    document = copy.deepcopy(document)
    for place, name, action, value in changes:
        found = list(objects_in(document))
        inside = found[place % len(found)]
        if action == "set":
            inside[name] = copy.deepcopy(value)  # a later change may be one of the value
        elif action == "drop":
            inside.pop(name, None)
        elif isinstance(inside.get(name), list):
            inside[name] = inside[name] * 2
    return document


TAMPERING = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@TAMPERING
@given(changes=CHANGES)
@example(changes=[(0, "usage", "drop", None), (0, "x_groq", "set", {"usage": {"prompt_tokens": 3}})])
@example(changes=[(2, "reasoning", "set", "lorem")])
@example(changes=[(2, "refusal", "set", "ipsum")])
@example(changes=[(2, "tool_calls", "set", [{"function": {"arguments": "{}"}}])])
@example(changes=[(1, "message", "set", {"content": "lorem", "refusal": None, "tool_calls": None})])
@example(changes=[(5, "image_tokens", "set", 3)])
@example(changes=[(5, "audio_tokens", "drop", None)])
@example(changes=[(0, "choices", "twice", None)])
def test_a_tampered_completion_reads_alike(changes: Any) -> None:
    assert_reads_alike(changed(completion(), changes))


@TAMPERING
@given(changes=CHANGES)
@example(changes=[(0, "usage", "set", {"total_tokens": 9})])
@example(changes=[(0, "usage", "set", {"prompt_tokens": 9, "total_tokens": 9, "cached_tokens": 4})])
def test_tampered_embeddings_read_alike(changes: Any) -> None:
    assert_reads_alike(changed(EMBEDDED, changes))


DELTAS: tuple[dict[str, Any], ...] = (
    {"content": "lorem"},
    {"content": "", "reasoning_content": "lorem"},
    {"content": None, "reasoning": "lorem", "refusal": None},
    {"content": None, "tool_calls": [{"index": 0, "function": {"arguments": "lorem"}}]},
    {"content": None, "tool_calls": [{"index": 0, "custom": {"input": "lorem"}}]},
    {"content": None, "refusal": "lorem"},
)


@TAMPERING
@given(place=st.integers(0, 3), changes=CHANGES, usage=st.booleans(), delta=st.sampled_from(DELTAS))
def test_a_tampered_chunk_reads_alike(place: int, changes: Any, usage: bool, delta: dict[str, Any]) -> None:
    events = chunks("lorem", "ipsum", usage=usage)
    events[1]["choices"][0]["delta"] = delta
    events[place] = changed(events[place], changes)
    assert_streams_alike(events)

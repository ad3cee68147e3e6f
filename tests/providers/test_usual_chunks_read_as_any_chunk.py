"""A chunk that is read without a function call, since it is usual, reads as the same chunk does with an addition that means nothing.

The addition sends a chunk the careful way: of every recorded stream, and of chunks that were tampered with.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import openai.types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.test_usual_answers_read_as_any_answer import CHANGES, ODD, TAMPERING, changed, objects_in
from tests.support.json_bodies import documents
from tokentrail.instrumentation.around import sanitized
from tokentrail.integrations.shapes.cohere import CohereChunks
from tokentrail.integrations.shapes.gemini import GeminiChunks
from tokentrail.integrations.shapes.huggingface import ChatEvents as HuggingFaceEvents
from tokentrail.integrations.shapes.interactions import InteractionEvents
from tokentrail.integrations.shapes.json_objects import Body
from tokentrail.integrations.shapes.mistral import AudioEvents, MistralChunks
from tokentrail.integrations.shapes.mistral_conversations import ConversationEvents
from tokentrail.integrations.shapes.openai_audio import AudioEvents as TranscriptEvents
from tokentrail.integrations.shapes.openai_completions import CompletionChunks
from tokentrail.integrations.shapes.openai_json import ChatEvents
from tokentrail.integrations.shapes.watsonx import GenerationEvents as WatsonxEvents
from tokentrail.testing.recording import SHIPPED


class Way(NamedTuple):
    """Chunks of a shape, an addition that means nothing, and the recordings that hold such streams."""

    chunks: Callable[[Any, bool], Any]
    addition: dict[str, Any]
    recorded: str
    usual: dict[str, Any]


def chat_chunk(**delta: Any) -> dict[str, Any]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-mini"}
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


TOOL_CALLS = [{"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": '{"lorem":'}}]
WAYS = {
    "chats": Way(ChatEvents, {"error": None}, "openrouter-chat", chat_chunk(content="lorem")),
    "chats, thoughts": Way(ChatEvents, {"error": None}, "azure_ai-chat", chat_chunk(content=None, reasoning="lorem")),
    "chats, tool calls": Way(ChatEvents, {"error": None}, "openrouter-chat", chat_chunk(content="", tool_calls=TOOL_CALLS)),
    "hugging face": Way(HuggingFaceEvents, {"error": None}, "huggingface-chat", chat_chunk(content="lorem")),
    "mistral": Way(MistralChunks, {"error": None}, "mistral-chat", chat_chunk(content="lorem")),
    "mistral, thoughts": Way(
        MistralChunks,
        {"error": None},
        "mistral-chat",
        chat_chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "lorem"}]}]),
    ),
    "cohere, tool calls": Way(
        CohereChunks,
        {"text": None},
        "cohere-cohere_chat",
        {"is_finished": False, "event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, "parameters": "lorem"}},
    ),
    "gemini": Way(
        GeminiChunks,
        {"promptFeedback": {}},
        "google_genai-generate_content",
        {
            "candidates": [{"content": {"parts": [{"text": "lorem"}], "role": "model"}, "index": 0}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
            "modelVersion": "gemini-2.5-flash",
            "responseId": "r1",
        },
    ),
    "interactions": Way(
        InteractionEvents,
        {"interaction": None},
        "google_genai-interactions",
        {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "lorem"}},
    ),
    "transcriptions": Way(AudioEvents, {"object": ""}, "mistral-audio", {"type": "transcription.text.delta", "text": "lorem"}),
    "conversations": Way(
        ConversationEvents,
        {"object": ""},
        "mistral-conversations",
        {"type": "message.output.delta", "content": "lorem", "id": "m1", "model": "mistral-large-latest"},
    ),
}
NOT_RECORDED = {
    "watsonx, generated text": Way(
        WatsonxEvents,
        {"errors": None},
        "",
        {
            "model_id": "ibm/granite",
            "results": [{"generated_text": "lorem", "generated_token_count": 3, "input_token_count": 0, "stop_reason": "not_finished"}],
        },
    ),
}

FIELDS = sorted({name for way in (WAYS | NOT_RECORDED).values() for inside in objects_in(way.usual) for name in inside})
MORE = (
    "arguments",
    "content",
    "error",
    "reasoning_content",
    "refusal",
    "thinking",
    "tool_calls",
    "type",
    "finishReason",
    "object",
    "responseId",
    "summary",
    "thought",
)
ACTIONS = st.sampled_from(["set", "drop", "twice"])
OWN_CHANGES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([*FIELDS, *MORE]), ACTIONS, ODD), min_size=1, max_size=3)


def read(way: Way, events: list[Any], *, carefully: bool) -> Any:
    """What is read of a stream, or which exception the guard around each chunk would swallow."""
    chunks = way.chunks({}, False)
    outcomes = []
    for event in copy.deepcopy(events):
        try:
            outcomes.append(chunks.absorb({**event, **way.addition} if carefully and way.addition.keys().isdisjoint(event) else event))
        except Exception as error:
            outcomes.append(type(error))
    answer, ended = chunks.reading(exhausted=True)
    return sanitized(answer, 1), ended, outcomes


@pytest.mark.parametrize("name", WAYS)
def test_recorded_streams(name: str) -> None:
    way = WAYS[name]
    compared = 0
    for path in sorted(SHIPPED.glob(f"{way.recorded}*.json")):
        recording = json.loads(path.read_text(encoding="utf-8"))
        if recording["response_shape"] == "sse":
            events = [event for event in documents(recording) if isinstance(event, dict)]
            assert read(way, events, carefully=False) == read(way, events, carefully=True)
            compared += len(events)
    assert compared > 3


@pytest.mark.parametrize("name", WAYS)
def test_a_body_reads_as_a_dictionary(name: str) -> None:
    way = WAYS[name]
    assert read(way, [Body.of(way.usual)] * 2, carefully=False) == read(way, [way.usual] * 2, carefully=False)


@pytest.mark.parametrize("name", WAYS | NOT_RECORDED)
@TAMPERING
@given(changes=OWN_CHANGES)
def test_tampered_chunks(name: str, changes: Any) -> None:
    way = (WAYS | NOT_RECORDED)[name]
    events = [way.usual, changed(way.usual, changes), way.usual]
    assert read(way, events, carefully=False) == read(way, events, carefully=True)


@pytest.mark.parametrize("asked", [False, True])
@TAMPERING
@given(changes=CHANGES)
def test_tampered_text_completions(asked: bool, changes: Any) -> None:
    usual = {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "davinci-002",
        "choices": [{"text": "lorem", "index": 0, "logprobs": None, "finish_reason": None}],
        "usage": None,
    }
    events = [usual, changed(usual, changes), usual]
    found = []
    for absorb in (CompletionChunks.absorb, CompletionChunks.absorb_any):
        stream = [openai.types.Completion.construct(**copy.deepcopy(event)) for event in events]
        chunks = CompletionChunks({"prompt": "lorem"}, asked)
        outcomes = []
        for chunk in stream:
            try:
                outcomes.append(absorb(chunks, chunk))
            except Exception as error:
                outcomes.append(type(error))
        answer, ended = chunks.reading(exhausted=True)
        found.append((sanitized(answer, 1), ended, outcomes, [chunk.model_fields_set for chunk in stream]))
    assert found[0] == found[1]


def test_a_transcript_of_models_reads_as_one_of_dictionaries() -> None:
    events = [{"type": "transcript.text.delta", "delta": "lorem"}, {"type": "transcript.text.delta", "delta": 7}, {"type": "speech.audio.delta"}]
    found = []
    for kind in (lambda event: SimpleNamespace(**event), dict):
        chunks = TranscriptEvents({"stream": True}, False)
        for event in events:
            chunks.absorb(kind(event))
        answer, ended = chunks.reading(exhausted=False)
        found.append((answer.output_texts, ended))
    assert found == [(["lorem"], "partial")] * 2

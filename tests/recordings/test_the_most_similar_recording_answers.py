"""A request that nobody recorded is answered by a success that states usage and is of the asked kind; errors come only when they are named or asked for exactly."""

from __future__ import annotations

from typing import Any

import pytest

from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.shelf import Match, Shelf

CHAT, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/embeddings"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "never recorded"}]}
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def ask_shelf(shelf: Shelf, provider: str, path: str, request: dict[str, Any], times: int = 12) -> list[Recording]:
    """What answers this many equal requests."""
    found = [shelf.find(provider, "POST", path, request) for _ in range(times)]
    assert all(match is not None and match.how == "loose" for match in found)
    return [match.recording for match in found if match is not None]


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return read_recordings()


@pytest.fixture
def shelf(recordings: list[Recording]) -> Shelf:
    return Shelf(recordings)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4o", "gpt-5", "a-model-of-tomorrow", None])
@pytest.mark.parametrize(
    ("provider", "path", "request_"),
    [
        ("openai", CHAT, ASK),
        ("openai", CHAT, ASK | {"stream": True, "stream_options": {"include_usage": True}}),
        ("openai", RESPONSES, {"input": "never recorded"}),
        ("openai", RESPONSES, {"input": "never recorded", "stream": True}),
        ("openai", EMBEDDINGS, {"input": "never recorded"}),
        ("openai", "/v1/completions", {"prompt": "never recorded"}),
        ("groq", "/openai/v1/chat/completions", ASK),
        ("groq", "/openai/v1/chat/completions", ASK | {"stream": True}),
        ("groq", "/openai/v1/chat/completions", ASK | {"stream": True, "stream_options": {"include_usage": True}}),
        ("ollama", "/api/chat", ASK),
        ("ollama", "/api/chat", ASK | {"stream": False}),
        ("ollama", "/v1/chat/completions", ASK),
        ("ollama", "/api/embed", {"input": "never recorded"}),
        ("ollama", "/api/generate", {"prompt": "never recorded"}),
    ],
)
def test_usage_is_stated(shelf: Shelf, provider: str, path: str, request_: dict[str, Any], model: str | None) -> None:
    for recording in ask_shelf(shelf, provider, path, request_ | {"model": model}):
        assert recording.status == 200
        assert not recording.flags.get("error")
        assert recording.expected_totals is not None, recording


def test_a_stream_states_what_the_provider_would_have_stated(shelf: Shelf) -> None:
    """OpenAI states no usage in a stream that was not asked for it; an error within the stream is no answer even if the model is the same."""
    for recording in ask_shelf(shelf, "openai", CHAT, ASK | {"model": "gpt-4o-mini", "stream": True}):
        assert (recording.stream, recording.status, recording.expected_totals) == (True, 200, None)
        assert not recording.flags.get("error")


def test_the_answer_is_of_the_kind_that_was_asked_for(shelf: Shelf) -> None:
    for recording in ask_shelf(shelf, "openai", CHAT, ASK | {"model": "gpt-4o-mini"}):
        assert not any(recording.flags.get(kind) for kind in ("tool_call", "refusal", "media", "multi_choice"))
    assert any(recording.flags.get("tool_call") for recording in ask_shelf(shelf, "openai", CHAT, ASK | {"tools": TOOLS}))
    assert all(recording.flags.get("multi_choice") for recording in ask_shelf(shelf, "openai", CHAT, ASK | {"n": 2}))
    picture = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}
    assert all(recording.flags.get("media") for recording in ask_shelf(shelf, "openai", CHAT, picture))


def test_equal_fits_take_turns_in_the_same_order_every_time(recordings: list[Recording]) -> None:
    request = ASK | {"model": "a-model-of-tomorrow"}
    runs = [[recording.id for recording in ask_shelf(Shelf(recordings), "openai", CHAT, request, times=6)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 1
    shelf = Shelf(recordings)
    begun = ask_shelf(shelf, "openai", CHAT, request, times=1)
    shelf.restart()
    assert ask_shelf(shelf, "openai", CHAT, request, times=1) == begun


def test_an_error_answers_where_there_is_nothing_else(recordings: list[Recording]) -> None:
    failures = Shelf(recording for recording in recordings if recording.status == 429)
    match = failures.find("openai", "POST", CHAT, ASK | {"model": "gpt-4o"})
    assert isinstance(match, Match)
    assert (match.how, match.recording.status) == ("loose", 429)

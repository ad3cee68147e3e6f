"""What a recorded answer states is what the ledger holds: through the real SDKs, over HTTP, sync and async, every shipped recording.

Where the whole corpus of recordings lies beside the repository, all of its exchanges of these providers as well.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import openai
import pytest

from tests.support.recordings import ask, ask_async, error_types, url_of
from tokentrail.testing import Recording, ReplayServer, Usages, collect_usages, read_recordings

SHIPPED = [
    recording
    for recording in read_recordings()
    if recording.provider in {"openai", "groq", "ollama"} and (hasattr(openai.OpenAI, "responses") or not recording.endpoint.startswith("responses"))
]
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
COUNTED = {"chat", "responses", "responses_get", "completions", "embeddings", "ollama_chat", "ollama_generate", "ollama_embed"}


def counts(usages: Usages) -> list[tuple[object, ...]]:
    return [
        (u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens, u.response_model or None)
        for u in usages.recorded
    ]


def expected(recording: Recording) -> list[tuple[object, ...]]:
    """One usage with the recorded totals; of a job that has not ended, none."""
    if not recording.stream and recording.status == 200 and recording.endpoint in {"responses", "responses_get"}:
        answer = json.loads(recording.body)
        if answer.get("background") and answer["status"] in {"queued", "in_progress"}:
            return []
    if recording.stream and recording.endpoint == "responses_get":
        return [] if recording.expected_totals is None else [totals(recording)]
    return [totals(recording)]


def totals(recording: Recording) -> tuple[object, ...]:
    stated, own = recording.expected_totals or {}, recording.expected
    cached = (own["cached_input_tokens"], own["cache_write_tokens"], own["reasoning_tokens"])
    return (stated.get("input_total"), stated.get("output_total"), *cached, own["model"])


def held(usages: Usages, recording: Recording) -> None:
    found, wanted = counts(usages), expected(recording)
    if recording.expected_totals is None:  # the model's name of an answer without usage is no matter of the recording's `expected`
        found, wanted = [row[:5] for row in found], [row[:5] for row in wanted]
    assert found == wanted, recording.id


@pytest.mark.parametrize("recording", SHIPPED, ids=lambda recording: recording.id)
def test_sync(recording: Recording, replay: ReplayServer, usages: Usages) -> None:
    try:
        ask(recording, url_of(replay, recording))
    except error_types():
        assert recording.flags["error"]
    held(usages, recording)


@pytest.mark.parametrize("recording", SHIPPED, ids=lambda recording: recording.id)
async def test_async(recording: Recording, replay: ReplayServer, usages: Usages) -> None:
    try:
        await ask_async(recording, url_of(replay, recording))
    except error_types():
        assert recording.flags["error"]
    held(usages, recording)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
def test_the_whole_corpus() -> None:
    compared = 0
    with ReplayServer(CORPUS, providers=["openai", "groq", "ollama"]) as server:
        for place, recording in enumerate(server.recordings.values()):
            if recording.endpoint not in COUNTED:
                continue
            url = url_of(server, recording)
            with collect_usages() as usages:
                try:
                    if place % 2:
                        asyncio.run(ask_async(recording, url))
                    else:
                        ask(recording, url)
                except (*error_types(), json.JSONDecodeError):
                    assert recording.expected_totals is None
                held(usages, recording)
            compared += recording.expected_totals is not None
    assert compared > 250

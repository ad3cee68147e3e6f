"""What a recorded answer states is what the ledger holds: through the real SDKs, over HTTP, sync and async, every shipped recording.

How it ended, and where each half of the counts comes from, follow from the recording too.

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
    if recording.provider in {"anthropic", "openai", "groq", "ollama"}
    and (hasattr(openai.OpenAI, "responses") or not recording.endpoint.startswith("responses"))
]
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
COUNTED = {"messages", "chat", "responses", "responses_get", "completions", "embeddings", "ollama_chat", "ollama_generate", "ollama_embed"}


def counts(usages: Usages) -> list[tuple[object, ...]]:
    return [
        (
            *(u.ended, u.input_source, u.output_source, u.source),
            *(u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens),
            u.response_model or None,
        )
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
    given, answered = stated.get("input_total"), stated.get("output_total")
    sources = ["unknown" if count is None else "reported" for count in (given, answered)]
    if recording.endpoint in {"embeddings", "ollama_embed"} and answered is None:
        sources[1] = sources[0]  # embeddings have no output: their source is their input's
    return (ended(recording), *sources, min(sources, key=["unknown", "reported"].index), given, answered, *cached, own["model"])


def ended(recording: Recording) -> str:
    """How the provider ended it: an error, a stream without a last word, a job that was cancelled."""
    if recording.flags["error"]:
        return "error"
    if recording.stream:
        return "complete" if recording.flags["ended"] else "partial"
    answer = json.loads(recording.body)
    return {"failed": "error", "cancelled": "partial"}.get(answer.get("status", ""), "complete")


def held(usages: Usages, recording: Recording) -> None:
    found, wanted = counts(usages), expected(recording)
    if recording.expected_totals is None:  # the model's name of an answer without usage is no matter of the recording's `expected`
        found, wanted = [row[:-1] for row in found], [row[:-1] for row in wanted]
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
@pytest.mark.slow
def test_the_whole_corpus() -> None:
    compared = 0
    with ReplayServer(CORPUS, providers=["anthropic", "openai", "groq", "ollama"]) as server:
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
                except error_types():
                    assert recording.flags["error"]
                except json.JSONDecodeError:  # what the SDK makes of an event that is no JSON: for its caller the call has failed
                    assert recording.expected_totals is None
                    assert [usage.ended for usage in usages.recorded] == ["error"]
                    continue
                held(usages, recording)
            compared += recording.expected_totals is not None
    assert compared > 400

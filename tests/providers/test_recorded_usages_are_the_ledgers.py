"""A recorded answer gives the usages that the recording says: through the real SDKs, over HTTP, in each way of asking, every shipped recording.

Compared is the whole usage: who answered, the models, every count, where each half of the counts comes from, how the call ended, and its error. What
a recording says is read from its bytes by `scripts/recording_usages.py`, which shares nothing with the code that is tested here.

Where the whole corpus of recordings lies beside the repository, all of its exchanges of these providers as well.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import openai
import pytest

import tokentrail
from tests.support.provider_sdks import PACKAGES, is_there
from tests.support.recordings import GOOGLE, OWN_RAW, ask, ask_async, ask_lines, ask_raw, error_types, url_of
from tests.support.scripts import load_script
from tokentrail.counts import COUNTS
from tokentrail.testing import Recording, ReplayServer, Usages, collect_usages, read_recordings

SHIPPED = [
    recording
    for recording in read_recordings()
    if is_there(recording.provider, recording.endpoint) and (hasattr(openai.OpenAI, "responses") or not recording.endpoint.startswith("responses"))
]
RAW = [recording for recording in SHIPPED if not recording.path.startswith("/api/") and recording.provider not in OWN_RAW]
LINES = [recording for recording in RAW if not (recording.stream and recording.flags["error"])]  # of lines nobody raises what they say
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "open"
UNSEEN = {"image_output_tokens"}
"""Counts that no provider of the recordings states; those of images are in `test_audio_and_images_are_counted.py`."""
COMPARED = {
    *("provider", "endpoint", "gen_ai_operation", "operation", "token_type", "request_model", "response_model", "response_id", "stream"),
    *("key_kind", "ended", "error_type", "input_source", "output_source"),
    *(count.name for count in COUNTS),
}


def assert_recorded(usages: Usages, expected: Sequence[Mapping[str, Any]] | None, recording: Recording) -> None:
    """That these usages were recorded, and no other. An error that the exchange gives no name has that of an exception of the SDK's."""
    assert expected is not None, recording.id
    assert all(set(usage) == COMPARED for usage in expected), recording.id
    found = [{name: getattr(usage, name) for name in COMPARED} for usage in usages.recorded]
    for usage, wanted in zip(found, expected, strict=False):
        if wanted["error_type"] is None and usage["error_type"].startswith(
            ("anthropic.", "cohere.", "openai.", "groq.", "ollama.", "google.", "mistralai.", "botocore.")
        ):
            usage["error_type"] = None
    assert found == list(expected), recording.id


def is_of_an_sdk(exchange: Mapping[str, Any]) -> bool:
    """Whether Python's SDKs ask as the recorded client did: others ask Google for lists in place of events, and for enums as numbers."""
    return exchange["response_shape"] != "jsonarray" and "enum-encoding" not in exchange["path"]


def raises_its_error(recording: Recording) -> AbstractContextManager[Any]:
    return pytest.raises(error_types()) if recording.flags["error"] else nullcontext()


@pytest.fixture
def url(recording: Recording, replay: ReplayServer, known_as: Callable[[int, str], None]) -> str:
    """Where only this recording answers, and the provider is known as at the provider's own address, whatever SDK asks."""
    known_as(replay.port, recording.provider)
    return url_of(replay, recording)


def named(recording: Recording) -> str:
    return recording.id


@pytest.mark.parametrize("recording", SHIPPED, ids=named)
def test_sync(recording: Recording, url: str, usages: Usages) -> None:
    with raises_its_error(recording):
        ask(recording, url)
    assert_recorded(usages, recording.expected_usages, recording)


@pytest.mark.parametrize("recording", SHIPPED, ids=named)
async def test_async(recording: Recording, url: str, usages: Usages) -> None:
    with raises_its_error(recording):
        await ask_async(recording, url)
    assert_recorded(usages, recording.expected_usages, recording)


@pytest.mark.parametrize("recording", RAW, ids=named)
def test_raw(recording: Recording, url: str, usages: Usages) -> None:
    with raises_its_error(recording):
        ask_raw(recording, url)
    assert_recorded(usages, recording.expected_usages, recording)


@pytest.mark.parametrize("recording", LINES, ids=named)
def test_lines_that_nothing_parses(recording: Recording, url: str, usages: Usages) -> None:
    with raises_its_error(recording):
        assert ask_lines(recording, url)
    assert_recorded(usages, recording.expected_usages, recording)


def test_the_recordings_show_what_may_differ() -> None:
    """Else a part of a usage that nobody counts would be compared with nothing."""
    expected = [usage for recording in SHIPPED for usage in recording.expected_usages or ()]
    seen = {name: {usage[name] for usage in expected} for name in COMPARED}
    assert seen["ended"] == {"complete", "partial", "error"}
    assert seen["input_source"] == seen["output_source"] == {"reported", "unknown"}
    assert seen["provider"] == {"anthropic", "bedrock", "cohere", "openai", "groq", "ollama", "mistral", *GOOGLE, *filter(is_there, PACKAGES)}
    assert seen["key_kind"] == {"automatic", "object"}
    assert [recording.id for recording in SHIPPED if not recording.expected_usages], "what is not counted"
    above_zero = {name for name in COMPARED if any(type(value) is int and value > 0 for value in seen[name])}
    assert {count.name for count in COUNTS} - above_zero <= UNSEEN


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the whole corpus of recordings is not beside the repository")
@pytest.mark.slow
def test_the_whole_corpus() -> None:
    usages_of = load_script("recording_usages").usages_of
    exchanges = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in CORPUS.rglob("*.json")}
    compared = 0
    own = ["anthropic", "bedrock", "bedrock_mantle", "cohere", "openai", "groq", "ollama", "mistral", *GOOGLE]
    with ReplayServer(CORPUS, providers=[*own, *filter(is_there, PACKAGES)]) as server:
        for place, recording in enumerate(server.recordings.values()):
            expected = usages_of(exchanges[recording.id])
            if expected is None or not is_of_an_sdk(exchanges[recording.id]):
                continue
            tokentrail.configure(provider_hosts={f"127.0.0.1:{server.port}": recording.provider})
            url = url_of(server, recording)
            # OpenRouter's SDK raises where an older answer has no field of today's; the call was billed, and is counted whole
            outcome = suppress(*error_types()) if recording.provider == "openrouter" else raises_its_error(recording)
            with collect_usages() as usages, outcome:
                if place % 2:
                    asyncio.run(ask_async(recording, url))
                else:
                    ask(recording, url)
            assert_recorded(usages, expected, recording)
            compared += recording.expected_totals is not None
    assert compared > 500

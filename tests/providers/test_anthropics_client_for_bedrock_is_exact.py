"""Anthropic's client for Bedrock: AWS frames that its SDK decodes, and frames that nobody does, state what the recording says."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.support.recordings import url_of
from tokentrail.integrations.transports.aws_frames import split_frames
from tokentrail.testing import Recording, ReplayServer, Usages, read_recordings

RECORDINGS = [
    recording
    for recording in read_recordings(providers=["bedrock"])
    if "anthropic.claude" in recording.path and "messages" in (recording.request or {}) and "invoke" in recording.path and recording.status == 200
]
STREAMS = [recording for recording in RECORDINGS if recording.stream]
GIVEN: dict[str, Any] = {"aws_access_key": "none", "aws_secret_key": "none", "aws_region": "us-east-1", "max_retries": 0}
ASK: dict[str, Any] = {"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "lorem"}]}


def named(recording: Recording) -> str:
    return recording.id


@pytest.fixture
def url(recording: Recording, replay: ReplayServer, known_as: Any) -> str:
    known_as(replay.port, "aws.bedrock")
    return url_of(replay, recording)


def assert_exact(usages: Usages, recording: Recording) -> None:
    (usage,) = usages.recorded
    (expected,) = recording.expected_usages or ()
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "response_model", "response_id", "ended")
    assert {name: getattr(usage, name) for name in names} == {name: expected[name] for name in names}
    assert (usage.provider, usage.request_model, usage.stream) == ("aws.bedrock", "asked", recording.stream)


@pytest.mark.parametrize("recording", RECORDINGS, ids=named)
def test_sync(recording: Recording, url: str, usages: Usages) -> None:
    answer = anthropic.AnthropicBedrock(base_url=url, **GIVEN).messages.create(**ASK, stream=recording.stream)
    if recording.stream:
        assert list(answer)
    assert_exact(usages, recording)


@pytest.mark.parametrize("recording", RECORDINGS, ids=named)
async def test_async(recording: Recording, url: str, usages: Usages) -> None:
    async with anthropic.AsyncAnthropicBedrock(base_url=url, **GIVEN) as client:
        answer = await client.messages.create(**ASK, stream=recording.stream)
        if recording.stream:
            assert [event async for event in answer]
    assert_exact(usages, recording)


@pytest.mark.parametrize("size", [None, 7])
@pytest.mark.parametrize("recording", STREAMS, ids=named)
def test_frames_that_nobody_decodes(recording: Recording, size: int | None, url: str, usages: Usages) -> None:
    client = anthropic.AnthropicBedrock(base_url=url, **GIVEN)
    with client.messages.with_streaming_response.create(**ASK, stream=True) as response:
        assert b"".join(response.iter_bytes(size)) == recording.body
    assert_exact(usages, recording)


def test_there_are_such_recordings() -> None:
    assert STREAMS
    assert len(RECORDINGS) > len(STREAMS)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00" * 40, b"\x00\x00\x00\x0f" + b"\x00" * 40, b"\xff" * 40])
def test_what_is_no_frame(data: bytes) -> None:
    assert split_frames(data)[0] == []

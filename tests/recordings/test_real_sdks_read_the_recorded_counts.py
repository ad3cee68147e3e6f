from __future__ import annotations

from typing import Any

import pytest

from tests.support.provider_sdks import is_there
from tests.support.recordings import GOOGLE, ask, ask_async, error_types, naive_counts, url_of
from tokentrail.testing import Recording, ReplayServer, read_recordings

SHIPPED = [recording for recording in read_recordings() if is_there(recording.provider, recording.endpoint)]
ANSWERS = [
    recording
    for recording in SHIPPED
    if not recording.flags["error"]
    and not (recording.provider in GOOGLE and recording.endpoint == "embeddings")  # of which Google's SDK shows no counts
]
FAILURES = [recording for recording in SHIPPED if recording.flags["error"]]


def identify(recording: Recording) -> str:
    return recording.id


@pytest.mark.parametrize("recording", ANSWERS, ids=identify)
@pytest.mark.slow
def test_sync_client(recording: Recording, server: ReplayServer) -> None:
    counts = naive_counts(ask(recording, url_of(server, recording)))
    assert counts == {name: recording.expected[name] for name in counts}


@pytest.mark.parametrize("recording", ANSWERS, ids=identify)
@pytest.mark.slow
async def test_async_client(recording: Recording, server: ReplayServer) -> None:
    counts = naive_counts(await ask_async(recording, url_of(server, recording)))
    assert counts == {name: recording.expected[name] for name in counts}


def status_of(error: Any) -> Any:
    if hasattr(error, "response") and isinstance(error.response, dict):  # botocore's
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return error.status_code if hasattr(error, "status_code") else error.code


@pytest.mark.parametrize("recording", FAILURES, ids=identify)
@pytest.mark.slow
async def test_failures_are_raised_as_the_providers_own(recording: Recording, server: ReplayServer) -> None:
    with pytest.raises(error_types()) as raised:
        ask(recording, url_of(server, recording))
    if recording.status != 200:
        assert status_of(raised.value) == recording.status
    with pytest.raises(error_types()) as raised_async:
        await ask_async(recording, url_of(server, recording))
    assert repr(type(raised.value)) == repr(type(raised_async.value))  # each client of botocore has exceptions of its own


def test_most_recordings_state_counts() -> None:
    assert len(ANSWERS) > 45
    assert sum(recording.expected["input_tokens"] is not None for recording in ANSWERS) > 35

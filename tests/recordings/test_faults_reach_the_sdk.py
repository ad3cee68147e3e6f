from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import httpx
import openai
import pytest

from tests.support.recordings import url_of
from tokentrail.testing import Faults, ReplayServer

STREAM = "openai-chat-cb76111bc0b5"
PLAIN = "openai-chat-by-hand-refusal"
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


def client(url: str, **more: float) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", **({"timeout": 10, "max_retries": 0} | more))


def test_retries_of_the_sdk_get_through_after_the_failures(server: ReplayServer) -> None:
    url = server.url("openai", recording=PLAIN, faults=Faults(fail_first=2, fail_status=429, retry_after=0.01))
    before = len(server.served)
    with client(url, max_retries=2) as sdk:
        assert sdk.chat.completions.create(**ASK).usage.total_tokens == 90
    served = server.served[before:]
    assert [(item.status, item.match) for item in served] == [(429, "fault"), (429, "fault"), (200, "id")]
    assert [item.headers["x-stainless-retry-count"] for item in served] == ["0", "1", "2"]


def test_too_many_failures_are_the_callers(server: ReplayServer) -> None:
    url = server.url("openai", recording=PLAIN, faults=Faults(fail_first=2, fail_status=503, retry_after=0))
    with client(url, max_retries=1) as sdk:
        with pytest.raises(openai.InternalServerError) as raised:
            sdk.chat.completions.create(**ASK)
        assert raised.value.response.headers["retry-after"] == "0"
        assert sdk.chat.completions.create(**ASK).usage.total_tokens == 90, "a later call gets the recording"


def read(pieces: Iterable[Any], into: list[Any]) -> None:
    """Unlike `list`, keeps what came before an error."""
    for piece in pieces:
        into.append(piece)  # noqa: PERF402 - see above


@pytest.mark.parametrize("chunks", [1, 3])
def test_cut_stream_breaks_after_the_chunks(server: ReplayServer, chunks: int) -> None:
    got: list[Any] = []
    with client(server.url("openai", recording=STREAM, faults=Faults(cut_after=chunks))) as sdk:
        stream = sdk.chat.completions.create(**ASK, stream=True)
        with pytest.raises((openai.APIError, httpx.HTTPError)):
            read(stream, got)
    assert len(got) == chunks


def test_cut_at_the_end_lacks_only_the_end(server: ReplayServer) -> None:
    chunks = server.recordings[STREAM].chunks
    url = server.url("openai", recording=STREAM, faults=Faults(cut_after=len(chunks)))
    got: list[bytes] = []
    with httpx.stream("POST", f"{url}/chat/completions", json={}) as answer, pytest.raises(httpx.RemoteProtocolError):
        read(answer.iter_raw(), got)
    assert b"".join(got) == b"".join(chunks)


def test_cut_before_the_answer_is_a_connection_error(server: ReplayServer) -> None:
    with client(server.url("openai", recording=PLAIN, faults=Faults(cut_after=0))) as sdk, pytest.raises(openai.APIConnectionError):
        sdk.chat.completions.create(**ASK)


def test_silence_instead_of_an_answer_runs_into_the_clients_timeout(server: ReplayServer) -> None:
    url = server.url("openai", recording=PLAIN, faults=Faults(hang_after=0))
    with client(url, timeout=0.3) as sdk, pytest.raises(openai.APITimeoutError):
        sdk.chat.completions.create(**ASK)


def test_silence_in_a_stream_runs_into_the_clients_timeout(server: ReplayServer) -> None:
    got: list[Any] = []
    with client(server.url("openai", recording=STREAM, faults=Faults(hang_after=2)), timeout=0.5) as sdk:
        stream = sdk.chat.completions.create(**ASK, stream=True)
        with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
            read(stream, got)
    assert len(got) == 2


def test_stop_ends_a_hanging_answer() -> None:
    server = ReplayServer().start()
    url = server.url("openai", recording=STREAM, faults=Faults(hang_after=2))
    with httpx.stream("POST", f"{url}/chat/completions", json={}, timeout=20) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        server.stop()
        with pytest.raises(httpx.HTTPError) as ended:
            list(pieces)
    assert not isinstance(ended.value, httpx.TimeoutException)


def test_faults_of_one_url_leave_the_others_alone(server: ReplayServer) -> None:
    server.url("openai", faults=Faults(cut_after=0))
    with client(url_of(server, server.recordings[PLAIN])) as sdk:
        assert sdk.chat.completions.create(**ASK).usage.total_tokens == 90


def test_faults_for_everyone() -> None:
    with ReplayServer(faults=Faults(fail_first=1, fail_status=500)) as server, client(server.url("openai")) as sdk:
        with pytest.raises(openai.InternalServerError):
            sdk.chat.completions.create(**ASK)
        assert sdk.chat.completions.create(**ASK).object == "chat.completion"


@pytest.mark.parametrize("wrong", [{"fail_first": -1}, {"fail_status": 200}, {"retry_after": float("nan")}, {"cut_after": -1}])
def test_meaningless_faults_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)  # type: ignore[arg-type]


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tokentrail.testing.replay", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--folder", "/no/such/folder"], "no such folder"),
        (["--port", "99999"], "port"),
        (["--fail-status", "200"], "fail_status must be between 400 and 599"),
        (["--delay", "-1"], "delay must be a number of seconds"),
    ],
)
def test_misuse_of_the_command_is_one_sentence(arguments: list[str], sentence: str) -> None:
    ended = replay(*arguments)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_taken_port_is_named(server: ReplayServer) -> None:
    ended = replay("--port", str(server.port))
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{server.port}" in ended.stderr


def test_command_serves_until_it_is_told_to_end() -> None:
    command = [sys.executable, "-m", "tokentrail.testing.replay", "--port", "0", "--fail-first", "1", "--fail-status", "429"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split(" on ")[1].split()[0]
            statuses = [httpx.post(f"{url}/openai/v1/chat/completions", json=ASK).status_code for _ in range(2)]
            assert statuses == [429, 200]
            process.terminate()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()

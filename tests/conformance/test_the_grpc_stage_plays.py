"""The stage over gRPC sends what a recording has: messages, streams, errors with their codes, and connections that end; real channels read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.waiting import wait_until
from tokentrail.testing import Recording, read_recordings
from tokentrail.testing.conformance.grpc_stage import GrpcStage
from tokentrail.testing.conformance.stage import UnplayableError

HERE = Path(__file__).parents[2] / "examples" / "integration_grpc"
RECORDINGS = {recording.id.rpartition("-")[2]: recording for recording in read_recordings(HERE / "recordings")}
PLAIN, STREAM, ERROR = RECORDINGS["plain"], RECORDINGS["stream"], RECORDINGS["error"]
ASKED = {"model": "acme-1", "question": "lorem"}


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    import acme_grpc

    return acme_grpc


@pytest.fixture
def stage() -> Iterator[GrpcStage]:
    with GrpcStage() as stage:
        yield stage


@pytest.fixture
def client(acme: Any, stage: GrpcStage) -> Iterator[Any]:
    client = acme.Client(stage.url)
    yield client
    client.close()


def with_headers(recording: Recording, **headers: str) -> Recording:
    return replace(recording, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_messages_are_those_of_the_recording(stage: GrpcStage, client: Any) -> None:
    stage.play(PLAIN)
    answer = client.ask(**ASKED)
    assert (answer.text, answer.id, answer.tokens.input, answer.tokens.output) == ("All known roads.", "a-1", 8, 4)
    stage.play(STREAM)
    assert [part.text for part in client.ask(**ASKED, stream=True)] == [json.loads(line)["text"] for line in STREAM.chunks]
    assert [(asked.path, json.loads(asked.body)["stream"]) for asked in stage.asked] == [("/acme.Chat/AskForParts", True)]


async def test_an_asynchronous_channel_reads_the_same(acme: Any, stage: GrpcStage) -> None:
    stage.play(STREAM)
    client = acme.AsyncClient(stage.url)
    assert len([part async for part in await client.ask(**ASKED, stream=True)]) == len(STREAM.chunks)
    await client.close()


@pytest.mark.parametrize(
    ("recording", "status", "code", "details"),
    [
        (ERROR, None, grpc.StatusCode.NOT_FOUND, "no such model"),
        (PLAIN, 500, grpc.StatusCode.INTERNAL, "lorem"),
        (PLAIN, 429, grpc.StatusCode.RESOURCE_EXHAUSTED, "lorem"),
        (PLAIN, 418, grpc.StatusCode.UNKNOWN, "lorem"),
        (with_headers(PLAIN, grpc_status="16"), None, grpc.StatusCode.UNAUTHENTICATED, "lorem"),
        (with_headers(STREAM, grpc_status="14", grpc_message="ipsum"), None, grpc.StatusCode.UNAVAILABLE, "ipsum"),
    ],
)
def test_an_error_has_its_code_and_its_text(
    recording: Recording, status: int | None, code: grpc.StatusCode, details: str, stage: GrpcStage, client: Any
) -> None:
    stage.play(recording, [b"lorem"] if recording is not ERROR else None, status=status)
    with pytest.raises(grpc.RpcError) as raised:
        list(client.ask(**ASKED, stream=True)) if recording.stream else client.ask(**ASKED)
    assert (raised.value.code(), raised.value.details()) == (code, details)


def test_metadata_are_the_other_headers(stage: GrpcStage, client: Any, acme: Any) -> None:
    stage.play(with_headers(PLAIN, x_request_id="r-1", content_type="application/json"))
    _, call = client._ask.with_call(acme.Question(**ASKED))
    assert dict(call.initial_metadata())["x-request-id"] == "r-1"


def test_a_connection_ends_after_what_was_sent(stage: GrpcStage, client: Any, acme: Any) -> None:
    stage.play(STREAM, cut_after=2)
    parts = client.ask(**ASKED, stream=True)
    read = iter(parts)
    assert [next(read).text, next(read).text] == ["All ", "known "]
    with pytest.raises(grpc.RpcError) as raised:
        next(read)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    stage.play(PLAIN, cut_after=0)
    again = acme.Client(stage.url)
    with pytest.raises(grpc.RpcError) as raised:
        again.ask(**ASKED)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    again.close()
    assert len(stage.asked) == 1


def test_an_answer_is_held_and_the_client_hangs_up(stage: GrpcStage, client: Any) -> None:
    stage.play(STREAM, hold_after=1)
    parts = client.ask(**ASKED, stream=True)
    assert next(iter(parts)).text == "All "
    assert stage.holding.wait(5)
    assert not stage.hung_up.is_set()
    parts.close()
    wait_until(stage.hung_up.is_set, "the client hangs up")


def test_the_first_requests_have_earlier_answers_then_fail(stage: GrpcStage, client: Any) -> None:
    stage.play(PLAIN, earlier=[RECORDINGS["error"]], fail_first=1)
    codes = []
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as raised:
            client.ask(**ASKED)
        codes += [raised.value.code()]
    assert codes == [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE]
    assert client.ask(**ASKED).id == "a-1"


def test_fields_that_the_messages_do_not_have_are_on_the_wire(stage: GrpcStage, client: Any) -> None:
    stage.play(PLAIN, [json.dumps({"tomorrows_field": {"tokens": [1]}} | json.loads(PLAIN.body)).encode()])
    answer = client.ask(**ASKED)
    plain = type(answer).FromString(answer.SerializeToString())
    plain.DiscardUnknownFields()
    assert answer.id == "a-1"
    assert answer.tokens.ByteSize() > plain.tokens.ByteSize()


def test_bytes_that_are_no_message_are_sent_as_they_are(stage: GrpcStage, client: Any) -> None:
    stage.play(PLAIN, [b"<!doctype html>"])
    with pytest.raises(grpc.RpcError) as raised:
        client.ask(**ASKED)
    assert raised.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("piece", [b"[]", b"null", b'{"tokens": {"input": "lorem"}}', b'{"tokens": {"input": 1e40}}', b'{"tokens": [1]}'])
def test_what_has_no_form_is_said(piece: bytes, stage: GrpcStage, acme: Any) -> None:
    assert acme
    with pytest.raises(UnplayableError, match=r"protobuf"):
        stage.play(PLAIN, [piece])
    with pytest.raises(UnplayableError, match="one message"):
        stage.play(PLAIN, PLAIN.chunks * 2)

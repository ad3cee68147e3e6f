from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.recordings import url_of
from tokentrail.testing import Recording, ReplayServer, read_recordings


def exchange(server: ReplayServer, recording: Recording, *, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        path = f"/{recording.provider}{recording.path}"
        connection.request(recording.method, path, json.dumps(recording.request), {"x-replay-id": recording.id} if headers is None else headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def raw_chunks(port: int, recording: Recording) -> list[bytes]:
    """The HTTP chunks as they are on the wire."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection, connection.makefile("rwb") as stream:
        head = f"{recording.method} /id/{recording.id}/{recording.provider}{recording.path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
        stream.write(head.encode())
        stream.flush()
        while stream.readline().strip():
            pass
        chunks = []
        while size := int(stream.readline(), 16):
            chunks.append(stream.read(size))
            stream.readline()
        return chunks


def test_bodies_statuses_and_headers_are_the_recorded_ones(server: ReplayServer) -> None:
    for recording in server.recordings.values():
        answer, body = exchange(server, recording)
        assert (answer.status, body) == (recording.status, recording.body), recording
        assert (answer.headers["x-replay-id"], answer.headers["x-replay-match"]) == (recording.id, "id")
        for name, value in recording.headers.items():
            assert answer.headers[name] == value, recording


def test_streams_are_cut_where_the_provider_flushed(server: ReplayServer) -> None:
    streams = [recording for recording in server.recordings.values() if recording.stream and recording.status == 200 and len(recording.chunks) > 1]
    assert len(streams) > 25
    for recording in streams:
        chunks = raw_chunks(server.port, recording)
        assert chunks == recording.chunks
        assert b"".join(chunks) == recording.body
        if recording.shape == "eventstream":
            assert all(int.from_bytes(chunk[:4], "big") == len(chunk) for chunk in chunks), recording
            continue
        end = b"\n" if recording.shape == "ndjson" else (b"\n\n", b"\r\n\r\n")
        assert all(chunk.endswith(end) and chunk.count(b"data:") <= 1 for chunk in chunks), recording


def test_whole_corpus_can_be_served(corpus: Path) -> None:
    with ReplayServer(corpus / "open") as server:
        assert len(server.recordings) > 1200
        assert {recording.shape for recording in server.recordings.values()} >= {"json", "sse", "ndjson", "eventstream"}
        for recording in list(server.recordings.values())[::5]:
            answer, body = exchange(server, recording)
            assert (answer.status, body) == (recording.status, recording.body), recording


def test_equal_requests_are_answered_by_their_recording(server: ReplayServer) -> None:
    alone = [recording for recording in server.recordings.values() if recording.method == "POST"]
    exact = 0
    for recording in alone:
        answer, _ = exchange(server, recording, headers={})
        assert answer.headers["x-replay-match"] == "exact", recording
        twins = [other for other in alone if other.request == recording.request and other.path == recording.path]
        assert answer.headers["x-replay-id"] in {other.id for other in twins}
        exact += len(twins) == 1
    assert exact > 40


@pytest.mark.parametrize("usage", [True, False])
def test_similar_requests_get_one_of_their_kind_and_never_an_error(usage: bool) -> None:
    with ReplayServer() as server:
        request = {"model": "a-model-of-tomorrow", "stream": True, "messages": []} | ({"stream_options": {"include_usage": True}} if usage else {})
        seen = set()
        for _ in range(8):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            connection.request("POST", "/openai/v1/chat/completions", json.dumps(request))
            answer = connection.getresponse()
            answer.read()
            connection.close()
            recording = server.recordings[answer.headers["x-replay-id"]]
            assert (answer.status, answer.headers["x-replay-match"], recording.stream) == (200, "loose", True)
            assert bool(recording.flags.get("include_usage")) is usage
            seen.add(recording.id)
        assert len(seen) > 1, "several recordings answer in turn"


def test_unknown_requests_are_told_what_is_missing(server: ReplayServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/openai/v1/no/such/thing", "{}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 404
    assert "there is no recording for POST /v1/no/such/thing of openai" in json.loads(body)["error"]["message"]


def test_what_was_asked_can_be_looked_up() -> None:
    with ReplayServer() as server:
        recording = server.recordings["openai-chat-by-hand-refusal"]
        exchange(server, recording)
        (served,) = server.served
    assert (served.provider, served.path, served.body, served.status, served.recording) == (
        "openai",
        "/v1/chat/completions",
        recording.request,
        200,
        recording.id,
    )


def test_delay_is_between_chunks() -> None:
    with ReplayServer(delay=0.02) as server:
        recording = next(item for item in server.recordings.values() if item.stream and 5 <= len(item.chunks) <= 12)
        begun = time.monotonic()
        exchange(server, recording)
        assert time.monotonic() - begun >= 0.02 * (len(recording.chunks) - 1)


def ask_again(connection: http.client.HTTPConnection) -> None:
    connection.auto_open = 0  # on the connection that is there, not on a new one
    connection.request("GET", "/")
    connection.getresponse()


def serving() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "tokentrail-replay"}


def test_stopped_server_answers_nobody() -> None:
    before = serving()
    server = ReplayServer().start()
    assert serving() > before
    address = urlsplit(url_of(server, next(iter(server.recordings.values()))))
    kept = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=20)
    kept.request("GET", "/")
    kept.getresponse().read()
    server.stop()
    with pytest.raises((http.client.HTTPException, OSError)):
        ask_again(kept)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", address.port or 0), timeout=5)
    assert serving() == before


def test_bad_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        read_recordings(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="there is no recording"):
        read_recordings(tmp_path)
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(ValueError, match=r"x\.json: this is no recording"):
        read_recordings(tmp_path)

"""A provider that limits, fails, breaks off or never ends; and the key, which no sentence, log or repr repeats."""

from __future__ import annotations

import json
import logging
import socket
import threading

import pytest

from tests.support.certificates import make_certificates
from tests.support.report_server import KEY, Fault, ReportServer
from tokentrail.bills.access import Access, Patience
from tokentrail.bills.errors import BillError
from tokentrail.bills.registry import READERS, read_live, reader_named

ENVIRONMENT = {"OPENAI_ADMIN_KEY": KEY}
COSTS = "/organization/costs"


@pytest.fixture
def read(quick, utc):
    def lines(url, environment=ENVIRONMENT, patience=quick, **more):
        return list(read_live("openai-cost", utc(2025, 11, 27), utc(2025, 11, 30), url=url, environment=environment, patience=patience, **more))

    return lines


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_fault_is_waited_out(recorded, read, status):
    with ReportServer({COSTS: [recorded("openai-cost.json")]}) as server:
        server.faults = [Fault(status), Fault(status)]
        assert len(read(server.url)) == 2
        assert len(server.asked) == 3


def test_the_pause_that_the_server_asks_for_is_kept(recorded, read):
    with ReportServer({COSTS: [recorded("openai-cost.json")]}) as server:
        server.faults = [Fault(429, {"Retry-After": "1"}), Fault(429, {"retry-after-ms": "300"})]
        assert len(read(server.url)) == 2
    first, second, third = (each.at for each in server.asked)
    assert second - first >= 1
    assert third - second >= 0.3


@pytest.mark.parametrize(
    "fault", [Fault(body=b'{"data": [{"start_time": 1'), Fault(body=b'{"data": []}' * 9, cut=True), Fault(body=b'{"data": "abc')]
)
def test_an_answer_that_breaks_off_is_asked_for_again(recorded, read, fault):
    with ReportServer({COSTS: [recorded("openai-cost.json")]}) as server:
        server.faults = [fault, fault]
        assert len(read(server.url)) == 2
        server.faults = [fault] * 4
        with pytest.raises(BillError, match=r"in the middle|cannot be read"):
            read(server.url)


@pytest.mark.parametrize(
    ("fault", "attempts", "sentence"),
    [
        (Fault(401), 1, "refuses the key in OPENAI_ADMIN_KEY with status 401"),
        (Fault(403, body=b'{"error": {"code": "missing_scope"}}'), 1, r"refuses the key in OPENAI_ADMIN_KEY with status 403 \(missing_scope\)"),
        (Fault(404), 1, "answers with status 404"),
        (Fault(302, {"location": "http://127.0.0.1:1/elsewhere"}), 1, "a redirect, which is not followed"),
        (Fault(429), 4, "limits the rate of requests"),
        (Fault(503), 4, "answers with status 503"),
        (Fault(body=b"<html>log in</html>"), 1, "its JSON is broken at line 1"),
        (Fault(body=b"[1, 2]"), 1, "the answer is no object"),
        (Fault(body=b'{"data": NaN}'), 1, "NaN, which is no number"),
        (Fault(body=b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 1, "nesting"),
        (Fault(body=b'{"data": ' + b"9" * 5_000 + b"}"), 1, "number"),
        (Fault(body=b"\xff\xfe{}"), 1, "UTF-8|broken"),
        (Fault(body=b'{"data": {"a": 1}}'), 1, "no list of objects under 'data'"),
        (Fault(body=b'{"data": [{"start_time": 1764201600, "end_time": 1764288000}]}'), 1, "no list of objects under 'results'"),
    ],
)
def test_what_does_not_pass_is_one_sentence(read, fault, attempts, sentence):
    with ReportServer() as server:
        server.faults = [fault] * attempts
        with pytest.raises(BillError, match=sentence) as raised:
            read(server.url)
        assert len(server.asked) == attempts
    said = str(raised.value)
    assert "\n" not in said
    assert KEY not in said
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_pages_that_go_in_a_circle_end(recorded, read):
    page = recorded("openai-cost.json")
    circle = [page | {"has_more": True, "next_page": "page-2"}, page | {"has_more": True, "next_page": "page-3"}]
    with ReportServer({COSTS: [*circle, page | {"has_more": True, "next_page": "page-2"}]}) as server, pytest.raises(BillError, match="read before"):
        read(server.url)
    with ReportServer({COSTS: [page | {"has_more": True, "next_page": None}]}) as server, pytest.raises(BillError, match="names no next page"):
        read(server.url)


def test_the_key_appears_nowhere(read, caplog):
    caplog.set_level(logging.DEBUG)
    with ReportServer() as server:
        server.faults = [Fault(500)] * 4
        with pytest.raises(BillError) as raised:
            read(server.url)
        access = Access(server.url, {"authorization": f"Bearer {KEY}"}, "OPENAI_ADMIN_KEY")
    assert KEY not in "".join((repr(access), str(access), caplog.text, str(raised.value), repr(raised.value)))
    assert "4711" not in caplog.text
    assert not any("4711" in repr(reader) for reader in READERS)


@pytest.mark.parametrize("value", ["", "  ", "sk admin", "sk-admin\nx: y", "schlüssel", "sk\x00"])
def test_a_variable_that_holds_no_key_is_told_without_its_value(read, value):
    with pytest.raises(BillError, match="OPENAI_ADMIN_KEY") as raised:
        read("http://127.0.0.1:9", {"OPENAI_ADMIN_KEY": value})
    assert not value.strip() or value not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/v1",
        "ftp://127.0.0.1",
        "https://user:secret@api.example.com",
        "api.example.com",
        "https://",
        "http://127.0.0.1.example.com",
    ],
)
def test_a_key_is_sent_encrypted_or_to_this_machine(read, url):
    with pytest.raises(BillError, match="https") as raised:
        read(url)
    assert "secret" not in str(raised.value)


def test_a_server_that_nobody_vouches_for_gets_no_key(read, tmp_path):
    import ssl

    folder = make_certificates(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as encrypted:
                    heard.append(encrypted.recv(1000))
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(BillError, match=r"cannot be read: .*(certificate|CERTIFICATE|self-signed|SSL)"):
            read(f"https://127.0.0.1:{listening.getsockname()[1]}")
        thread.join(10)
    assert not any(KEY.encode() in each for each in heard)


def test_an_answer_that_drips_ends_at_the_deadline(read):
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(BillError, match="no whole answer came in time"):
            read(f"http://127.0.0.1:{listening.getsockname()[1]}", patience=Patience(seconds=0.5, attempts=1))
        stop.set()


def test_nobody_listening_is_one_sentence(read, quick):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(BillError, match=f"http://127.0.0.1:{port}{COSTS} cannot be read: .*refused"):
        read(f"http://127.0.0.1:{port}")


def test_an_answer_without_end_is_not_held(read, monkeypatch):
    import tokentrail.bills.access as module

    monkeypatch.setattr(module, "LARGEST_ANSWER", 1000)
    with (
        ReportServer({COSTS: [json.dumps({"data": [], "x": "y" * 5000}).encode()]}) as server,
        pytest.raises(BillError, match="answers with more than"),
    ):
        read(server.url)


def test_a_question_that_makes_no_sense_is_refused_before_a_request(utc):
    day, later = utc(2025, 11, 27), utc(2025, 11, 28)
    for name, since, until, bucket, sentence in [
        ("openai-usag", day, later, "", "Did you mean openai-usage"),
        ("csv", day, later, "", "from a file only"),
        ("openai-usage", later, day, "", "ends before it starts"),
        ("openai-usage", day.replace(tzinfo=None), later, "", "time zone"),
        ("openai-cost", day, later, "1h", "intervals of 1d"),
    ]:
        with pytest.raises(BillError, match=sentence):
            read_live(name, since, until, bucket=bucket, environment=ENVIRONMENT)
    assert reader_named("openai-usage").live is not None

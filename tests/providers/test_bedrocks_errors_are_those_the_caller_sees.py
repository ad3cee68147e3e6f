"""A failing answer of Bedrock is recorded with the exception that the caller gets, or the status; and a server's bad bytes are no error of ours.

The last is asserted after each test here (`conftest.hooks`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import botocore.exceptions
import pytest

from tests.support.bedrock import HELLO, BedrockServer, aio_client_of, client_of, conversation, message
from tokentrail.telemetry.instruments import error_type
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"modelId": "a.b", "messages": HELLO}
TEXT_OF_NO_TEXT = message("contentBlockDelta", b'{"delta": {"text": "\xff"}}')
NO_TEXT = message("contentBlockDelta", b"\xff{")


class ShortServer(BedrockServer):
    """Promises more bytes than it sends."""

    is_over: threading.Event

    def _answer(self, request: Any, body: dict[str, Any]) -> None:
        request.send_response(200)
        request.send_header("content-length", "500")
        request.end_headers()
        request.wfile.write(b'{"usage": ')
        request.close_connection = True


def told(usages: Usages) -> list[tuple[str, str]]:
    usages.settle()
    return [(usage.ended, usage.error_type) for usage in usages.recorded]


@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: body.read(-1),
        lambda body: list(body.iter_chunks(5)),
        lambda body: list(body.iter_lines()),
        lambda body: [body.readinto(bytearray(5)) for _ in range(9)],
        lambda body: body._raw_stream.read(),
    ],
)
def test_a_body_that_is_cut(read: Callable[[Any], Any], usages: Usages) -> None:
    with ShortServer() as server, pytest.raises(Exception) as raised:  # noqa: PT011 - which one is botocore's affair
        read(client_of(server.url).invoke_model(modelId="a.b", body="{}")["body"])
    assert told(usages) == [("error", error_type(raised.value))]


@pytest.mark.parametrize("how", ["read", "chunks"])
async def test_a_body_of_aiobotocore_that_is_cut(how: str, usages: Usages) -> None:
    with ShortServer() as server:
        async with aio_client_of(server.url) as client:
            body = (await client.invoke_model(modelId="a.b", body="{}"))["body"]
            with pytest.raises(Exception) as raised:  # noqa: PT011
                await body.read() if how == "read" else [part async for part in body.iter_chunks(5)]
            assert told(usages) == [("error", error_type(raised.value))]


class SilentServer(ShortServer):
    """Sends the rest never."""

    def _answer(self, request: Any, body: dict[str, Any]) -> None:
        super()._answer(request, body)
        self.is_over.wait(20)


async def test_a_body_that_does_not_come(usages: Usages) -> None:
    with SilentServer() as server:
        server.is_over = threading.Event()
        with pytest.raises(botocore.exceptions.ReadTimeoutError) as raised:
            client_of(server.url, read_timeout=0.2).invoke_model(modelId="a.b", body="{}")["body"].read()
        async with aio_client_of(server.url, read_timeout=0.2) as client:
            body = (await client.invoke_model(modelId="a.b", body="{}"))["body"]
            with pytest.raises(botocore.exceptions.ReadTimeoutError) as raised_later:
                await body.read()
        server.is_over.set()
    assert told(usages) == [("error", error_type(each.value)) for each in (raised, raised_later)]


@pytest.mark.parametrize("read", [lambda body: body.readlines(), lambda body: list(body._raw_stream.stream(5))])
def test_a_body_that_is_cut_of_which_the_caller_is_not_told(read: Callable[[Any], Any], usages: Usages) -> None:
    with ShortServer() as server:
        body = client_of(server.url).invoke_model(modelId="a.b", body="{}")["body"]
        read(body)
        body.close()
    assert told(usages) == [("partial", "")]


@pytest.mark.parametrize("frame", [NO_TEXT, TEXT_OF_NO_TEXT])
def test_an_event_that_is_no_text(frame: bytes, usages: Usages) -> None:
    with BedrockServer([*conversation("lorem")[:2], frame, *conversation("ipsum")[2:]]) as server:
        stream = client_of(server.url).converse_stream(**ASK)["stream"]
        with pytest.raises(UnicodeDecodeError):
            list(stream)
    assert told(usages) == [("error", "UnicodeDecodeError")]


async def test_an_event_that_is_no_text_of_aiobotocore(usages: Usages) -> None:
    with BedrockServer([*conversation("lorem")[:2], NO_TEXT]) as server:
        async with aio_client_of(server.url) as client:
            stream = (await client.converse_stream(**ASK))["stream"]
            with pytest.raises(UnicodeDecodeError):
                [event async for event in stream]
            assert told(usages) == [("error", "UnicodeDecodeError")]


@pytest.mark.parametrize("frame", [message("contentBlockDelta", b"lorem"), message("contentBlockDelta", b""), message("unknown", b"\xff")])
def test_an_event_that_is_no_json_is_skipped(frame: bytes, usages: Usages) -> None:
    """As botocore does."""
    with BedrockServer([*conversation("lorem")[:2], frame, *conversation("ipsum")[2:]]) as server:
        stream = client_of(server.url).converse_stream(**ASK)["stream"]
        list(stream)
        assert "_parse_event" not in vars(stream)
    assert told(usages) == [("complete", "")]


@pytest.mark.parametrize("status", [300, 302, 404, 500, 600])
def test_a_status_is_the_errors_type(status: int, usages: Usages) -> None:
    with BedrockServer((status, {"message": "no"})) as server, pytest.raises(botocore.exceptions.ClientError):
        client_of(server.url).converse(**ASK)
    assert told(usages) == [("error", str(status))]


@pytest.mark.parametrize("page", [b"<html>gateway</html>", b"", b"[" * 9, b'{"usage": NaN}', b'{"a": "\xff"}', b"null", b"[1]"])
def test_a_page_in_place_of_an_answer(page: bytes, usages: Usages) -> None:
    """It is an error where botocore raises; most pages are empty answers for botocore, with no exception."""
    with BedrockServer([page]) as server:
        try:
            client_of(server.url).converse(**ASK)
            expected = ("complete", "")
        except Exception as error:
            expected = ("error", error_type(error))
        client_of(server.url).invoke_model(modelId="a.b", body=json.dumps({"messages": []}))["body"].read()
    assert told(usages) == [expected, ("complete", "")]

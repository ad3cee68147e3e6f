"""A dropped answer of Bedrock is freed at once, with its socket, without the garbage collector; and no bytes of it are kept after they were read."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3

from tests.support.bedrock import HELLO, BedrockServer, aio_client_of, client_of, conversation
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.integrations.transports.botocore_bodies import WholeBody
from tokentrail.testing import Usages

ANSWER = {"id": "m", "type": "message", "usage": {"input_tokens": 5, "output_tokens": 7}, "content": [{"type": "text", "text": "lorem" * 50_000}]}
BODY = json.dumps({"messages": [{"role": "user", "content": "lorem"}]})


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("read", "ended"),
    [
        (lambda body: None, "partial"),
        (lambda body: body.read(3), "partial"),
        (lambda body: next(body.iter_chunks(9)), "partial"),
        (lambda body: next(iter(body._raw_stream.stream(9))), "partial"),
        (lambda body: body.close(), "partial"),
        (lambda body: body.read(), "complete"),
        (lambda body: body.readlines(), "complete"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body(read: Callable[[Any], Any], ended: str, chunked: bool, usages: Usages) -> None:
    with BedrockServer([json.dumps(ANSWER).encode()] if chunked else ANSWER) as server:
        client = client_of(server.url)
        body = client.invoke_model(modelId="a.b", body=BODY)["body"]
        raw, socket = weakref.ref(body._raw_stream), body._raw_stream._connection.sock
        assert socket.fileno() >= 0
        read(body)
        del body
        assert raw() is None
        assert (socket.fileno() < 0) == (ended == "partial"), "a socket that was read to its end goes back to the pool"
    usages.settle()
    assert [usage.ended for usage in usages.recorded] == [ended]


@pytest.mark.parametrize("read", [lambda stream: None, lambda stream: next(iter(stream)), list, lambda stream: stream.close()])
def test_an_event_stream(read: Callable[[Any], Any], usages: Usages) -> None:
    """botocore's own refers to itself until it is read to its end: then it is freed as late as without the hooks."""

    def is_kept() -> bool:
        stream = client_of(server.url).converse_stream(modelId="a.b", messages=HELLO)["stream"]
        raw = weakref.ref(stream._raw_stream)
        read(stream)
        del stream
        return raw() is not None

    with BedrockServer(conversation("lorem")) as server:
        kept = is_kept()
        gc.collect()
        usages.settle()
        assert [usage.ended for usage in usages.recorded] == ["complete" if read is list else "partial"]
        uninstrument()
        assert is_kept() == kept
        instrument()


@pytest.mark.parametrize("whole", [False, True])
async def test_a_body_of_aiobotocore(whole: bool, usages: Usages) -> None:
    with BedrockServer(ANSWER) as server:
        async with aio_client_of(server.url) as client:
            body = (await client.invoke_model(modelId="a.b", body=BODY))["body"]
            raw = weakref.ref(getattr(body, "_raw_stream", None) or body.__wrapped__)  # older versions have a proxy
            await body.read(-1 if whole else 3)
            body.close()
            del body
            assert raw() is None
    usages.settle()
    assert [usage.ended for usage in usages.recorded] == ["complete" if whole else "partial"]


def test_the_bytes_are_forgotten_when_they_were_read() -> None:
    seen = []
    body = WholeBody(seen.append)
    body.absorb(b"lorem")
    body.reading(exhausted=True)
    body.reading(exhausted=True)
    assert seen == [b"lorem", b""]


def test_a_method_that_was_taken_before_the_end_still_reads(usages: Usages) -> None:
    """The response is the HTTP client's own again when it is read."""
    with BedrockServer(ANSWER) as server:
        raw = client_of(server.url).invoke_model(modelId="a.b", body=BODY)["body"]._raw_stream
        read, close = raw.read, raw.close
        assert isinstance(raw, urllib3.HTTPResponse)
        assert json.loads(b"".join(iter(lambda: read(1000), b""))) == ANSWER
        close()
        assert type(raw) is urllib3.HTTPResponse
    assert [(usage.ended, usage.input_tokens) for usage in usages.recorded] == [("complete", 5)]

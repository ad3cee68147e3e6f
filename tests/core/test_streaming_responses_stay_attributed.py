"""What a handler returns for a web framework to read later is attributed while it is read: real frameworks, real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import flask
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.core.conftest import Sdk
from tests.support.calls import call
from tests.support.waiting import wait_until
from tokentrail import track_tokens
from tokentrail.attribution import attribution
from tokentrail.testing import Usages


def sync_body() -> Iterator[str]:
    for number in range(3):
        call()
        yield f"{number}\n"


async def async_body() -> AsyncIterator[str]:
    for number in range(3):
        call()
        yield f"{number}\n"


by_path = track_tokens(operation="chat", tenant_id=lambda request: request.path_params["tenant"])


@by_path
async def async_handler(request: Request) -> Response:
    return StreamingResponse(async_body())


@by_path
async def sync_body_handler(request: Request) -> Response:
    return StreamingResponse(sync_body())


@by_path
def threadpool_handler(request: Request) -> Response:
    return StreamingResponse(sync_body())


async def decorated_body_handler(request: Request) -> Response:
    body = by_path(lambda request: async_body())(request)
    return StreamingResponse(body)


async def plain_handler(request: Request) -> Response:
    call()
    return Response("plain")


HANDLERS = {
    "async": async_handler,
    "sync-body": sync_body_handler,
    "threadpool": threadpool_handler,
    "decorated-body": decorated_body_handler,
}


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "uvicorn answers", every_s=0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class PassOn(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Callable[[Request], Any]) -> Response:
        response: Response = await call_next(request)
        return response


@pytest.mark.parametrize("middleware", [False, True], ids=["bare", "behind a middleware"])
def test_starlette(middleware: bool, tokentrail_usages: Usages, sdk: Sdk) -> None:
    routes = [Route(f"/{name}/{{tenant}}", handler) for name, handler in HANDLERS.items()]
    app = Starlette(routes=[*routes, Route("/plain/{tenant}", plain_handler)])
    if middleware:
        app.add_middleware(PassOn)
    with served(app) as address, httpx.Client(base_url=address) as client:
        for name in HANDLERS:
            assert client.get(f"/{name}/{name}").text == "0\n1\n2\n"
            assert client.get("/plain/x").text == "plain"
    for name in HANDLERS:
        found = tokentrail_usages.where(tenant_id=name)
        assert [usage.operation for usage in found] == ["chat"] * 3
    assert len(tokentrail_usages.where(tenant_id="")) == len(HANDLERS)
    blocks = {span.context.span_id for span in sdk.spans if "tokentrail.tenant_id" in (span.attributes or {}) and span.parent is None}
    assert len(blocks) == len(HANDLERS)
    streamed = [span for span in sdk.spans if span.parent is not None]
    assert len(streamed) == 3 * len(HANDLERS)
    assert {span.parent.span_id for span in streamed if span.parent} == blocks


def test_starlette_when_the_client_goes_away(tokentrail_usages: Usages, sdk: Sdk) -> None:
    """The body is cancelled in the middle; the next request finds nothing of it."""
    ended = threading.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                call()
                yield "x" * 65536
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    @track_tokens(tenant_id="gone")
    async def handler(_request: Request) -> Response:
        return StreamingResponse(endless())

    with served(Starlette(routes=[Route("/", handler), Route("/plain/{tenant}", plain_handler)])) as address:
        with httpx.Client() as client, client.stream("GET", address) as response:
            next(response.iter_raw())
        assert ended.wait(10)
        assert httpx.get(f"{address}/plain/x").text == "plain"
    wait_until(lambda: [span for span in sdk.spans if span.name.endswith("handler")], "the block's span ends", every_s=0.01)
    assert tokentrail_usages[-1].tenant_id == ""
    assert len(tokentrail_usages.where(tenant_id="gone")) == len(tokentrail_usages) - 1


def test_flask(tokentrail_usages: Usages) -> None:
    app = flask.Flask("service")

    @app.get("/<tenant>")
    @track_tokens(operation="chat", tenant_id=lambda tenant: tenant)
    def handler(tenant: str) -> flask.Response:
        return flask.Response(flask.stream_with_context(sync_body()))

    @app.get("/iterator/<tenant>")
    @track_tokens(operation="chat", tenant_id=lambda tenant: tenant)
    def iterator(tenant: str) -> Iterator[str]:
        return sync_body()

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            with closing(httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}")) as client:
                assert client.get("/acme").text == "0\n1\n2\n"
                assert client.get("/iterator/globex").text == "0\n1\n2\n"
        finally:
            server.shutdown()
            thread.join(10)
    assert [usage.tenant_id for usage in tokentrail_usages] == ["acme"] * 3 + ["globex"] * 3


def test_a_frozen_object_with_a_body_is_returned_as_it_is(tokentrail_usages: Usages, internal_errors: dict[str, int]) -> None:
    @dataclass(frozen=True)
    class Answer:
        response: Iterator[str]

    answer = track_tokens(tenant_id="acme")(lambda: Answer(sync_body()))()
    assert list(answer.response) == ["0\n", "1\n", "2\n"]
    assert [usage.tenant_id for usage in tokentrail_usages] == [""] * 3
    assert internal_errors == {"track_tokens: a returned body": 1}


@pytest.mark.parametrize("value", [[1, 2], "text", None, iter([1]), {"response": [1]}, Response("x")])
def test_everything_else_is_returned_itself(value: object) -> None:
    assert track_tokens(lambda: value)() is value
    assert attribution.get() is None

"""The middlewares of ASGI and WSGI: each part of an answer belongs to its request, servers see what they saw before, bad input stops at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from opentelemetry import baggage as opentelemetry_baggage
from opentelemetry import context

from tests.support.calls import call
from tokentrail import track_tokens
from tokentrail.attribution import attribution
from tokentrail.testing import Usages
from tokentrail.web import ASGIMiddleware, Request, WSGIMiddleware, bearer_claim, header

TENANT = header("X-Tenant-ID")


def environ(**headers: str) -> dict[str, Any]:
    named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/api", "PATH_INFO": "/ask", "QUERY_STRING": "org=acme&x=", **named}


def scope(kind: str = "http", **headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": kind, "method": "POST", "path": "/ask", "query_string": b"org=acme&x=", "headers": pairs}


def tenant() -> str:
    block = attribution.get()
    return "" if block is None else block.tenant_id


def serve(middleware: Any, *scopes: dict[str, Any]) -> None:
    async def nothing(*_: Any) -> Any:
        return {}

    async def run() -> None:
        await asyncio.gather(*(middleware(each, nothing, nothing) for each in scopes))

    asyncio.run(run())


def seen_by(kind: str, headers: dict[str, str], **values: Any) -> Any:
    """The attribution that an application has under a middleware of this kind."""
    found: list[Any] = []

    async def asgi(*_: Any) -> None:
        found.append(attribution.get())

    def wsgi(*_: Any) -> list[bytes]:
        found.append(attribution.get())
        return []

    if kind == "asgi":
        serve(ASGIMiddleware(asgi, **values), scope(**headers))
    else:
        WSGIMiddleware(wsgi, **values)(environ(**headers), lambda *_: None)
    assert attribution.get() is None
    return found[0]


both = pytest.mark.parametrize("kind", ["asgi", "wsgi"])


@both
def test_values_come_from_texts_headers_callables(kind: str) -> None:
    block = seen_by(
        kind,
        {"x_tenant_id": "acme", "x_request_id": "r1", "cookie": "a=1; theme=dark"},
        tenant_id=TENANT,
        operation=lambda request: "chat" if request.path.endswith("/ask") else None,
        operation_id=header("X-Request-ID"),
        metadata={"route": header("X-Route"), "who": "us", "request": header("x-request-id")},
    )
    assert (block.tenant_id, block.operation, block.operation_id) == ("acme", "chat", "r1")
    assert block.metadata == '{"route": null, "who": "us", "request": "r1"}'


@both
def test_a_request_says_the_same_of_itself(kind: str) -> None:
    requests: list[Request] = []
    seen_by(kind, {"x_one": "1", "cookie": "a=1; theme=dark", "authorization": "Bearer  t.o.k"}, tenant_id=requests.append)
    (request,) = requests
    assert (request.method, request.path.removeprefix("/api"), request.query) == ("POST", "/ask", {"org": "acme", "x": ""})
    assert request.headers["X-One"] == request.headers["x-one"] == "1"
    assert "x-two" not in request.headers
    assert (request.cookies, request.bearer_token) == ({"a": "1", "theme": "dark"}, "t.o.k")


@both
def test_a_callable_that_fails_costs_only_its_value(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_request: Request) -> str:
        raise KeyError("a secret of the request")

    block = seen_by(kind, {"x_tenant_id": "acme"}, tenant_id=TENANT, operation_id=fails)
    assert (block.tenant_id, block.operation_id) == ("acme", "")
    assert "a secret of the request" not in caplog.text


@both
@pytest.mark.parametrize(
    ("trusted", "headers", "expected"),
    [
        (True, {"baggage": "a=b,tokentrail.tenant_id=acme%2Cinc, tokentrail.operation_id=op%201;ttl=3"}, ("acme,inc", "op 1")),
        (True, {"baggage": "tokentrail.tenant_id=acme", "x_tenant_id": "globex"}, ("globex", "")),
        (True, {"baggage": "tokentrail.tenant_id=acme," + "x" * 8192}, ("", "")),
        (True, {"baggage": "=;,,%,tokentrail.tenant_id"}, ("", "")),
        (False, {"baggage": "tokentrail.tenant_id=acme"}, ("", "")),
    ],
)
def test_baggage_counts_where_callers_are_trusted(kind: str, trusted: bool, headers: dict[str, str], expected: tuple[str, str]) -> None:
    block = seen_by(kind, headers, tenant_id=TENANT, baggage=trusted)
    assert (block.tenant_id, block.operation_id) == expected


@both
def test_an_exception_of_the_application_passes(kind: str) -> None:
    async def asgi(*_: Any) -> None:
        raise ConnectionResetError

    def wsgi(*_: Any) -> list[bytes]:
        raise ConnectionResetError

    def run() -> None:
        if kind == "asgi":
            serve(ASGIMiddleware(asgi, tenant_id="acme"), scope())
        else:
            WSGIMiddleware(wsgi, tenant_id="acme")(environ(), lambda *_: None)

    with pytest.raises(ConnectionResetError):
        run()
    assert attribution.get() is None


@both
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"tenant_id": 7}, TypeError),
        ({"operation": "no operation"}, ValueError),
        ({"metadata": "text"}, TypeError),
        ({"over_budget": "raise"}, TypeError),
        ({"baggage": "yes"}, TypeError),
    ],
)
def test_wrong_values_stop_the_application_before_it_serves(kind: str, wrong: dict[str, Any], error: type[Exception]) -> None:
    middleware: Any = ASGIMiddleware if kind == "asgi" else WSGIMiddleware
    with pytest.raises(error):
        middleware(lambda *_: None, **wrong)


@pytest.mark.parametrize("name", ["", "two words", "línea", "a:b", 7, None])
def test_a_header_has_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="name of a header"):
        header(name)


def test_a_claim_needs_who_verifies_it() -> None:
    with pytest.raises(TypeError, match="verifies"):
        bearer_claim("org", decode=cast("Any", "a key"))


def test_a_websocket_is_attributed_and_the_lifespan_is_not() -> None:
    seen: list[tuple[str, str]] = []

    async def app(given: Any, *_: Any) -> None:
        seen.append((given["type"], tenant()))

    serve(ASGIMiddleware(app, tenant_id=TENANT), scope("websocket", x_tenant_id="acme"), {"type": "lifespan"})
    assert seen == [("websocket", "acme"), ("lifespan", "")]


def test_each_step_of_a_wsgi_body_is_the_requests(tokentrail_usages: Usages) -> None:
    closed: list[str] = []

    def body(*_: Any) -> Iterator[bytes]:
        try:
            for _number in range(3):
                call()
                yield b"x"
        finally:
            closed.append(tenant())

    app = WSGIMiddleware(body, tenant_id=TENANT)
    answers = [app(environ(x_tenant_id=name), lambda *_: None) for name in ("acme", "globex")]
    for parts in zip(*map(iter, answers), strict=False):  # a server that serves both by turns
        assert parts == (b"x", b"x")
        assert attribution.get() is None
        if len(tokentrail_usages) == 4:
            break
    for answer in answers:
        cast("Any", answer).close()
    assert sorted(usage.tenant_id for usage in tokentrail_usages) == ["acme", "acme", "globex", "globex"]
    assert closed == ["acme", "globex"]


@pytest.mark.parametrize("make", [lambda: [b"a", b"b"], lambda: (b"a",)])
def test_a_complete_body_is_the_applications_own_object(make: Callable[[], Any]) -> None:
    body = make()
    assert WSGIMiddleware(lambda *_: body, tenant_id="acme")(environ(), lambda *_: None) is body


def test_the_servers_file_wrapper_is_passed_on() -> None:
    class FileWrapper:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

    body = FileWrapper()
    given = {**environ(), "wsgi.file_wrapper": FileWrapper}
    assert WSGIMiddleware(lambda *_: body, tenant_id="acme")(given, lambda *_: None) is body


def test_a_body_without_close_and_an_empty_one() -> None:
    answer = WSGIMiddleware(lambda *_: iter([b"x"]), tenant_id="acme")(environ(), lambda *_: None)
    assert list(answer) == [b"x"]
    cast("Any", answer).close()
    assert list(WSGIMiddleware(lambda *_: iter([]), tenant_id="acme")(environ(), lambda *_: None)) == []


def test_a_body_of_one_part_says_so_and_another_says_nothing() -> None:
    class Sized:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def __len__(self) -> int:
            return 1

    app = WSGIMiddleware(lambda *_: Sized(), tenant_id="acme")
    answer: Any = app(environ(), lambda *_: None)
    assert (len(answer), list(answer)) == (1, [b"x"])  # wsgiref and waitress state the length of an answer of one part
    assert not hasattr(WSGIMiddleware(lambda *_: iter([b"x"]), tenant_id="acme")(environ(), lambda *_: None), "__len__")


def test_no_step_of_a_body_hands_on_what_the_caller_has_stated() -> None:
    def body(*_: Any) -> Iterator[bytes]:
        yield ",".join(opentelemetry_baggage.get_all()).encode()
        yield ",".join(opentelemetry_baggage.get_all()).encode()

    stated = opentelemetry_baggage.set_baggage("tokentrail.tenant_id", "stated", opentelemetry_baggage.set_baggage("shop", "7"))
    token = context.attach(stated)  # OpenTelemetry's middleware of WSGI keeps its context in force until the body has been read
    try:
        assert list(WSGIMiddleware(body, tenant_id="acme")(environ(), lambda *_: None)) == [b"shop", b"shop"]
        assert context.get_current() is stated
    finally:
        context.detach(token)


@pytest.mark.parametrize("query", [{}, {"query_string": None}, {"query_string": "org=acme"}])
def test_adapters_that_bend_the_specification_hurt_nobody(query: dict[str, Any]) -> None:
    found: list[str] = []

    async def asgi(*_: Any) -> None:
        found.append(tenant())

    def wsgi(*_: Any) -> list[bytes]:
        found.append(tenant())
        return []

    serve(ASGIMiddleware(asgi, tenant_id="acme", operation_id=lambda request: request.path), {"type": "http", "path": None, **query})
    WSGIMiddleware(wsgi, tenant_id="acme")({"SCRIPT_NAME": None, "PATH_INFO": None, "QUERY_STRING": None}, lambda *_: None)
    assert found == ["acme", "acme"]


async def tenant_from_a_database(_: Request) -> str:
    return "acme"


@pytest.mark.parametrize("name", ["tenant_id", "operation_id", "operation", "metadata"])
def test_a_coroutine_function_is_no_source(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} is a coroutine function"):
        ASGIMiddleware(cast("Any", None), **cast("Any", {name: tenant_from_a_database}))
    with pytest.raises(TypeError, match=f"{name} is a coroutine function"):
        track_tokens(**cast("Any", {name: tenant_from_a_database}))


def test_a_decorator_inside_adds_to_the_requests_values(tokentrail_usages: Usages) -> None:
    @track_tokens(operation="query")
    async def endpoint(*_: Any) -> None:
        call()

    serve(ASGIMiddleware(endpoint, tenant_id=TENANT, operation_id="o"), scope(x_tenant_id="acme"), scope(x_tenant_id="globex"))
    found = sorted((usage.tenant_id, usage.operation, usage.operation_id) for usage in tokentrail_usages)
    assert found == [("acme", "query", "o"), ("globex", "query", "o")]


def test_a_header_that_occurs_twice_is_one_text() -> None:
    found: list[str] = []

    async def app(*_: Any) -> None:
        block = attribution.get()
        found.append("" if block is None else block.operation_id)

    twice = {**scope(), "headers": [(b"x-request-id", b"a"), (b"X-Request-ID", b"b")]}
    serve(ASGIMiddleware(app, operation_id=header("X-Request-Id")), twice)
    assert found == ["a, b"]

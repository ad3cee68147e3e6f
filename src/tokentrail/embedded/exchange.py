"""One HTTP request and its answer, for blocking code, over a maintained asynchronous server.

Why uvicorn (with h11) and not `http.server`: errors of framing lose data. A truncated body must never look complete, a bad chunk size or the rest of
a refused request must never be read as the next request, `Expect: 100-continue` and keep-alive must be right. h11 is a strict,
fuzzed parser and uvicorn the server that most Python services run on; both are small, pure Python. waitress spools whole bodies before it
calls, cheroot passes a truncated body on as a short one, gunicorn forks, which an engine in the process does not survive. A framework is not needed.

The engine's calls block, so each request runs in a thread of a pool, and the thread calls the event loop to receive the next piece of the body and to
send the next piece of the answer. Memory holds one piece (about 64 KiB of a body, one block of the engine of an answer): constant memory for bodies
of any size, and backpressure both ways.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from time import monotonic
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from tokentrail.embedded.errors import ClientGone, ClientSlow

__all__ = ["Exchange", "Handler", "application"]

logger = logging.getLogger("tokentrail.embedded")

T = TypeVar("T")
DRAIN_BYTES: Final = 64 << 20
DRAIN_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0
"""Longest pause within a request's body, as ClickHouse's http_receive_timeout: each request holds one of the threads."""
PACE_AFTER: Final = 60.0
SLOWEST: Final = 1024
"""Bytes a second that a body has to bring on the average, after PACE_AFTER seconds: a byte now and then would hold a thread for ever."""


class Exchange:
    """The request, read piece by piece, and the answer, written piece by piece. Used by one thread."""

    def __init__(self, scope: Any, receive: Any, send: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.port: int = scope["server"][1]
        self.client: str = (scope.get("client") or ("",))[0]
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.started = False
        self._receive = receive
        self._send = send
        self._loop = loop
        self._read_all = False
        self._began = monotonic()
        self._received = 0
        self._disconnect: asyncio.Task[None] | None = None
        self._patience = IDLE_SECONDS

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except CancelledError:  # the server stops and does not wait any longer
            raise ClientGone from None
        except RuntimeError as error:
            work.close()
            if self._loop.is_closed():
                raise ClientGone from error
            raise

    # --- the request ---------------------------------------------------------------------------------------------------------------------------

    def chunks(self) -> Iterator[bytes]:
        """Yields the body as it arrives. Raises ClientGone if the connection closes before the stated end, ClientSlow if nothing arrives for long."""
        while not self._read_all:
            data = self._wait(self._next())
            if data:
                yield data

    async def _next(self) -> bytes:
        try:
            message = await asyncio.wait_for(self._receive(), min(IDLE_SECONDS, self._patience))
        except asyncio.TimeoutError:
            raise ClientSlow from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._read_all = not message.get("more_body", False)
        body = bytes(message.get("body", b""))
        self._received += len(body)
        elapsed = monotonic() - self._began
        if not self._read_all and elapsed > PACE_AFTER and self._received < elapsed * SLOWEST:
            raise ClientSlow
        return body

    def drain(self) -> None:
        """Reads the rest of the body, within limits: a connection closed with unread bytes is reset, and the client never sees the answer."""
        deadline = monotonic() + DRAIN_SECONDS
        left = DRAIN_BYTES
        self._patience = DRAIN_SECONDS  # a client that sends nothing holds a thread meanwhile, also one without a password
        with contextlib.suppress(ClientSlow):
            for data in self.chunks():
                left -= len(data)
                self._patience = deadline - monotonic()
                if left < 0 or self._patience <= 0:
                    return

    # --- the answer ----------------------------------------------------------------------------------------------------------------------------

    def reply(self, status: int, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Sends the whole answer."""
        self.start(status, [*headers, ("Content-Length", str(len(body)))])
        self._wait(self._send({"type": "http.response.body", "body": body}))

    def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Sends the head of an answer whose pieces follow; without a Content-Length the pieces are sent as chunks."""
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        self.started = True
        self._wait(self._send({"type": "http.response.start", "status": status, "headers": raw}))

    def write(self, data: bytes) -> None:
        """Sends one piece of the answer, when the client has room for the piece. Raises ClientGone if the client has disconnected."""
        if data:
            self._wait(self._write(data))

    async def _write(self, data: bytes) -> None:
        if self._disconnect is None:
            self._disconnect = asyncio.create_task(self._wait_for_disconnect())
        if self._disconnect.done():
            raise ClientGone
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def end(self) -> None:
        """Sends the end of an answer in pieces. Without this end the answer is cut off, and the client sees that the answer is incomplete."""
        self._wait(self._end())

    async def _end(self) -> None:
        self.stop_watching()
        await self._send({"type": "http.response.body", "body": b""})

    def stop_watching(self) -> None:
        """Stops waiting for the client's disconnect."""
        if self._disconnect is not None:
            self._disconnect.cancel()


Handler = Callable[[Exchange], None]


def application(handlers: Callable[[int], Handler], executor: Executor) -> Any:
    """Returns the ASGI application: a request is answered by the handler of its port, in a thread of `executor`."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        exchange = Exchange(scope, receive, send, loop)
        try:
            await loop.run_in_executor(executor, _guarded, handlers(exchange.port), exchange)
        except asyncio.CancelledError:  # the server stops and does not wait for this client any longer
            if not exchange.started:
                await send({"type": "http.response.start", "status": 503, "headers": [(b"connection", b"close"), (b"retry-after", b"1")]})
                await send({"type": "http.response.body", "body": b"the server stops\n"})
        finally:
            exchange.stop_watching()

    return app


def _guarded(handle: Handler, exchange: Exchange) -> None:
    try:
        handle(exchange)
    except ClientSlow:
        if not exchange.started:
            with contextlib.suppress(ClientGone):
                exchange.reply(408, b"the body did not go on arriving\n", [("Content-Type", "text/plain"), ("Connection", "close")])
    except ClientGone:
        logger.debug("the client of %s %s left before the answer's end", exchange.method, exchange.path)
    except Exception:
        logger.exception("%s %s failed", exchange.method, exchange.path)
        if not exchange.started:
            with contextlib.suppress(ClientGone):
                exchange.drain()
                exchange.reply(500, b"the embedded server failed: see its log\n", [("Content-Type", "text/plain"), ("Connection", "close")])

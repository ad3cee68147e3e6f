"""The HTTP server of both ports: uvicorn, in its own thread, on sockets that are bound before the engine starts."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import resource
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tokentrail.embedded.errors import CannotStart
from tokentrail.embedded.exchange import Handler, application

__all__ = ["Listener", "bind", "is_loopback"]

BACKLOG: Final = 512
THREADS: Final = 64
MOST_CONNECTIONS: Final = 4096
KEEP_ALIVE_SECONDS: Final = 600  # longer than clients keep idle connections: a client that uses a closed connection loses a request
MAX_HEAD: Final = 1 << 20  # bytes of URL and headers, as ClickHouse's http_max_uri_size
HEAD_SECONDS: Final = 30.0
"""Seconds for URL and headers, from their first byte on."""
SEND_SECONDS: Final = 300.0
"""Seconds in which a client that reads has to make room for the next bytes of its answer, which hold a thread meanwhile."""
START_SECONDS: Final = 10.0

# HTTP/2 for gRPC clients: the client's first bytes; the server's SETTINGS, and a GOAWAY (HTTP_1_1_REQUIRED) whose debug text gRPC libraries show.
PREFACE: Final = b"PRI * HTTP/2.0"
SETTINGS_FRAME: Final = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
GOAWAY: Final = 7
HTTP_1_1_REQUIRED: Final = 0xD
NO_GRPC: Final = b"tokentrail serve speaks OTLP over HTTP/1.1, not gRPC: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"


class Protocol(H11Protocol):
    """HTTP/1.1 by h11; a gRPC client gets a sentence about the supported protocol instead of a reset connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = logging.getLogger("tokentrail.embedded.http")  # uvicorn's own logger belongs to the application
        self.logger.setLevel(logging.CRITICAL)
        self._first = True
        self._head: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._idle_since = monotonic()

    def connection_made(self, transport: Any) -> None:
        """Makes room for a connection beyond the bound: closes the one that has been idle for longest, or else the new one."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            idle = [each for each in self.connections if isinstance(each, Protocol) and each.is_idle]
            min(idle, key=lambda each: each.idle_since, default=self).turn_away()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    @property
    def idle_since(self) -> float:
        """When the connection was made, or its last answer was sent."""
        return self._idle_since

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, nor its first bytes."""
        return self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def turn_away(self) -> None:
        """Closes the connection: at once, and between two requests."""
        self.transport.close()
        self.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Checks a connection's first bytes for HTTP/2, then passes all bytes to h11."""
        if self._first and data.startswith(PREFACE):
            body = struct.pack(">II", 0, HTTP_1_1_REQUIRED) + NO_GRPC
            self.transport.write(SETTINGS_FRAME + struct.pack(">I", len(body))[1:] + bytes([GOAWAY, 0]) + bytes(4) + body)
            self.transport.close()
            return
        self._first = False
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Goes on with the next request, whose first bytes may be there."""
        self._idle_since = monotonic()
        super().on_response_complete()
        self._watch_head()

    def _watch_head(self) -> None:
        begun = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if begun and self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self._refuse_slow_head)
        elif not begun and self._head is not None:
            self._head.cancel()
            self._head = None

    def _refuse_slow_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()

    def pause_writing(self) -> None:
        """Stops the answer until the client has read; a client that reads nothing for long is cut off."""
        super().pause_writing()
        self._stuck = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Goes on with the answer."""
        if self._stuck is not None:
            self._stuck.cancel()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the waiting for this client."""
        for timer in (self._head, self._stuck):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)


def most_connections() -> int:
    """Returns how many connections are held at once: half of the files that the process may open, of which the engine needs the rest."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MOST_CONNECTIONS, max(64, soft // 2)) if soft != resource.RLIM_INFINITY else MOST_CONNECTIONS


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone. Raises CannotStart for what is no address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        raise CannotStart(f"{host} is no loopback address, and no other one: write an IP address of this machine, e.g. --host 127.0.0.1") from None


def bind(host: str, port: int, option: str) -> socket.socket:
    """Returns a listening socket; port 0 takes a free port. Raises CannotStart: no address, taken, not allowed."""
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    # asyncio sets TCP_NODELAY only if the protocol is named: without TCP_NODELAY every answer waits 40 ms for a delayed acknowledgement
    listening = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"port {port} on {address} is taken by another program: choose another one with {option}, or 0 for any free one"
            ) from error
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotStart(f"port {port} on {address} cannot be opened ({reason}): choose another one with {option}") from error
    return listening


class Listener:
    """Serves sockets, each with a handler, from `start()` to `stop()`."""

    def __init__(self, handlers: dict[socket.socket, Handler], grace: int) -> None:
        self._sockets = list(handlers)
        by_port = {sock.getsockname()[1]: handler for sock, handler in handlers.items()}
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="tokentrail-request")
        config = uvicorn.Config(
            application(by_port.__getitem__, self._executor),
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            h11_max_incomplete_event_size=MAX_HEAD,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=grace,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": self._sockets}, name="tokentrail-http", daemon=True)

    def start(self) -> None:
        """Begins to serve. Raises CannotStart if the server does not start."""
        self._thread.start()
        deadline = monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or monotonic() > deadline:
                raise CannotStart("the HTTP server did not start")
            self._thread.join(0.01)

    def close(self) -> None:
        """Accepts no new requests; running requests continue."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Lets running requests end within the grace since `close()`, and cuts off the rest."""
        self.close()
        if self._thread.ident is not None:
            self._thread.join()
        for sock in self._sockets:
            sock.close()

    def wait_for_requests(self) -> None:
        """Waits until the last request has left its thread."""
        self._executor.shutdown(wait=True, cancel_futures=True)

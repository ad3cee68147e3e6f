"""One deadline for a whole HTTP exchange: sending, status line, headers and body. A socket's own timeout restarts with every byte received.

A connection pool takes its queue's lock once more when the pool is garbage-collected, or the interpreter ends. A forked child, in which a thread of
the parent seems to hold that lock for ever, would wait there. So pools are referenced until they are closed, and get new queues in a child.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

__all__ = ["Deadline", "pools", "renew_pools"]


class Deadline:
    """The time at which the current exchange must be done; an exporter has one exchange at a time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.pools: list[HTTPConnectionPool] = []
        self._end = 0.0

    def begin(self) -> None:
        """Begins an exchange."""
        self._end = time.monotonic() + self.seconds

    def close(self) -> None:
        """Closes the connection pools of the exporter."""
        _in_use.discard(self)
        while self.pools:
            self.pools.pop().close()

    @property
    def expired(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._end

    def remaining(self) -> float:
        """Returns the remaining seconds. Raises `TimeoutError` if the deadline has passed."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for one request is up")
        return left


_in_use: set[Deadline] = set()


class _Timed(io.RawIOBase):
    """The reading end of a socket; each read ends at the deadline."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        self._raw = connected.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Returns the reader of http.client, which takes this object for the socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._deadline.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def pools(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """Returns connection pool classes by scheme, as urllib3 takes them, whose exchanges end at the deadline."""

    class Response(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(_Timed(sock, deadline), *args, **kwargs)  # type: ignore[arg-type]

    class Plain(HTTPConnection):
        response_class = Response

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(deadline.remaining())
            super().send(data)

    class Encrypted(Plain, HTTPSConnection):
        pass

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            deadline.pools.append(self)

    class EncryptedPool(PlainPool, HTTPSConnectionPool):
        ConnectionCls = Encrypted

    _in_use.add(deadline)

    return {"http": PlainPool, "https": EncryptedPool}


def renew_pools() -> None:
    """Gives the pools in use new queues in a forked child, and closes the parent's connections there."""
    for deadline in tuple(_in_use):
        for pool in deadline.pools:
            connections = pool.pool
            if connections is not None:
                kept = list(connections.queue)
                connections.__init__(connections.maxsize)  # type: ignore[misc]
                for connection in filter(None, kept):
                    with contextlib.suppress(Exception):
                        connection.close()

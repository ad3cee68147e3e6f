"""One time for a whole HTTP exchange: sending, the status line, headers and body. A socket's own timeout begins anew with every byte that comes.

A pool of connections takes its queue's lock once more when it is collected, or the interpreter ends. A forked child, in which a thread of its parent
seems to hold that lock for ever, would wait there: so pools are kept until they are closed, and have new queues in a child.
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
    """The time until which the exchange under way must be done; an exporter has one exchange at a time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.pools: list[HTTPConnectionPool] = []
        self._end = 0.0

    def begin(self) -> None:
        """Begin an exchange."""
        self._end = time.monotonic() + self.seconds

    def close(self) -> None:
        """Close the connections of its exchanges."""
        _in_use.discard(self)
        while self.pools:
            self.pools.pop().close()

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds that are left. Raises `TimeoutError` if none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for one request is up")
        return left


_in_use: set[Deadline] = set()


class _Timed(io.RawIOBase):
    """The reading end of a socket, each read within the time that is left."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        self._raw = connected.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client reads from; it takes this object for the socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def pools(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools by scheme, as urllib3 takes them, whose exchanges end at the deadline."""

    class Response(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(_Timed(sock, deadline), *args, **kwargs)  # type: ignore[arg-type]

    class Plain(HTTPConnection):
        response_class = Response

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(deadline.left())
            super().send(data)

    class Encrypted(HTTPSConnection):
        response_class = Response

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            self.sock.settimeout(deadline.left())
            super().send(data)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            deadline.pools.append(self)

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            deadline.pools.append(self)

    _in_use.add(deadline)

    return {"http": PlainPool, "https": EncryptedPool}


def renew_pools() -> None:
    """Give the pools in use new queues in a forked child, and close the parent's connections there."""
    for deadline in tuple(_in_use):
        for pool in deadline.pools:
            connections = pool.pool
            if connections is not None:
                kept = list(connections.queue)
                connections.__init__(connections.maxsize)  # type: ignore[misc]
                for connection in filter(None, kept):
                    with contextlib.suppress(Exception):
                        connection.close()

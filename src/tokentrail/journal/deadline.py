"""One time for a whole HTTP exchange: sending, the status line, headers and body. A socket's own timeout begins anew with every byte that comes."""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

__all__ = ["Deadline", "pools"]


class Deadline:
    """The time until which the exchange under way must be done; an exporter has one exchange at a time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = 0.0

    def begin(self) -> None:
        """Begin an exchange."""
        self._end = time.monotonic() + self.seconds

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

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}

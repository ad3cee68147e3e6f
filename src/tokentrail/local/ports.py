"""Ports of 127.0.0.1: finds a free port, and checks whether a server answers at a port."""

from __future__ import annotations

import http
import http.client
import random
import socket
from urllib.parse import urlsplit

__all__ = ["answers", "free_port", "take_share"]

LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000
"""Below the range from which Linux takes the ports of outgoing connections: a free port stays free until a server opens the port."""
_share = range(LOWEST_PORT, HIGHEST_PORT)
_handed_out: set[int] = set()


def take_share(number: int, of: int) -> None:
    """Limits `free_port` to part `number` of `of` parts of the range, so that programs that run side by side never use the same port."""
    global _share  # noqa: PLW0603 - one share per process
    size = (HIGHEST_PORT - LOWEST_PORT) // of
    _share = range(LOWEST_PORT + number * size, LOWEST_PORT + (number + 1) * size)


def free_port() -> int:
    """Returns a free TCP port on 127.0.0.1, and never the same port twice: the first caller's server may not have opened the port yet."""
    choose = random.SystemRandom()
    for _ in range(200):
        port = choose.choice(_share)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _handed_out.add(port)
            return port
    raise OSError(f"no free port between {_share.start} and {_share.stop} on 127.0.0.1")


def answers(url: str) -> bool:
    """Whether a server answers 200 at `url`. Does not use urllib, which would send a loopback request to the environment's proxy."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=2.0)
    try:
        connection.request("GET", address.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

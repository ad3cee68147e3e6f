"""Carries the bytes between clients and a server on 127.0.0.1, and can end every connection at once, as a broken network does."""

from __future__ import annotations

import contextlib
import socket
import threading

__all__ = ["Wire"]


class Wire:
    """A port whose connections lead to the port of a server.

    After a cut the port is another one: gRPC's channels to one address share their connections, and a later channel may get the one that has ended.
    """

    def __init__(self, to_port: int) -> None:
        self._to = ("127.0.0.1", to_port)
        self._listening: list[socket.socket] = []
        self._ends: list[socket.socket] = []
        self.carried = 0  # connections so far
        self.port = self._listen()

    def cut(self) -> None:
        """Ends the connections there are; later ones are carried."""
        ends, self._ends = self._ends, []
        self.port = self._listen()
        _end(ends)

    def close(self) -> None:
        """Ends all connections, and takes no more."""
        _end(self._listening)
        for each in self._listening:
            each.close()
        _end(self._ends)

    def _listen(self) -> int:
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listening += [listening]
        threading.Thread(target=self._accept, args=(listening,), name="tokentrail-wire", daemon=True).start()
        return int(listening.getsockname()[1])

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listening.accept()
                self.carried += 1
                server = socket.create_connection(self._to)
                self._ends += [client, server]
                for source, target in ((client, server), (server, client)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=_carry, args=(source, target), name="tokentrail-wire", daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Carries bytes until one side ends; then the other side ends too."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    _end([target])


def _end(sockets: list[socket.socket]) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)

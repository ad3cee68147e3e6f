"""A provider's sessions on a real websocket: each connection is sent the scripted events, one after the other, and is then closed or kept."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

__all__ = ["ASKED", "CUT", "KEPT", "SessionServer"]

ASKED = object()
"""In a script: the server waits here for a message of the client."""
CUT = object()
"""In a script: the connection breaks here, without a farewell."""
KEPT = object()
"""In a script: the connection stays open here until the client closes."""


class SessionServer:
    """Sends its script to each client; `asked` has what the clients sent, `paths` where they connected. A text in the script is sent as it is.

    `tls`: the server's certificate, for SDKs that connect to nothing else.
    """

    def __init__(self, *script: Any, waits: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.script: Sequence[Any] = script
        self.waits = waits  # for a first message of the client
        self.tls = tls
        self.asked: list[Any] = []
        self.paths: list[str] = []

    def __enter__(self) -> SessionServer:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        self._server: Server = serve(self._play, "127.0.0.1", 0, ssl=self.tls)
        self.port = int(self._server.socket.getsockname()[1])
        self.url = f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()

    def _play(self, connection: ServerConnection) -> None:
        self.paths.append(connection.request.path if connection.request is not None else "")
        try:
            if self.waits:
                self.asked.append(json.loads(connection.recv()))
            for event in self.script:
                if event is CUT:
                    connection.socket.close()
                    return
                if event is KEPT or event is ASKED:
                    connection.recv()
                if event is ASKED:
                    continue
                connection.send(event if isinstance(event, str) else json.dumps(event))
        except ConnectionClosed:
            pass

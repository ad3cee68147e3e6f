"""A provider's sessions on a real websocket: each connection is sent the scripted events, one after the other, and is then closed or kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

__all__ = ["CUT", "KEPT", "SessionServer"]

CUT = object()
"""In a script: the connection breaks here, without a farewell."""
KEPT = object()
"""In a script: the connection stays open here until the client closes."""


class SessionServer:
    """Sends its script to each client; `asked` has what the clients sent, `paths` where they connected. A text in the script is sent as it is."""

    def __init__(self, *script: Any, waits: bool = False) -> None:
        self.script: Sequence[Any] = script
        self.waits = waits  # for a first message of the client
        self.asked: list[Any] = []
        self.paths: list[str] = []

    def __enter__(self) -> SessionServer:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        self._server: Server = serve(self._play, "127.0.0.1", 0)
        self.port = int(self._server.socket.getsockname()[1])
        self.url = f"ws://127.0.0.1:{self.port}"
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
                if event is KEPT:
                    connection.recv()
                connection.send(event if isinstance(event, str) else json.dumps(event))
        except ConnectionClosed:
            pass

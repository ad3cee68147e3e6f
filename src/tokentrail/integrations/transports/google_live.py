"""Google's Live sessions: a websocket, whose messages the SDK turns into its models; the first versions leave out the usage. So the bytes are read.

AsyncLive.connect(model=…)                opens the websocket, sends the model, and makes the session
AsyncSession(api_client, websocket)       every way to receive (`receive`, `start_stream`) calls the websocket's `recv`
the websocket's `close`                   is called at the end of `async with`, and by `AsyncSession.close`

A response of the model is a call: from its first message to the message that states its usage. Sound, which most messages are, is not parsed. A
response that is under way when the session is cut is recorded with the exception, as an error; when the application closes the session, as partial.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final

from tokentrail.instrumentation.contract import Endpoint, Exchange, Hook
from tokentrail.instrumentation.streams import FollowedStream
from tokentrail.integrations.shapes.gemini_live import begins, ends_turn, states_usage
from tokentrail.integrations.shapes.json_objects import fields_of
from tokentrail.integrations.transports.events import parsed
from tokentrail.integrations.transports.urls import parsed as parsed_url
from tokentrail.providers.lookup import Server, server_of
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["hooks_of"]

_MOST_FRAMES: Final = 8
_is_read = re.compile(rb'"(?:usageMetadata|toolCall|turnComplete|interrupted|text)"').search
_is_response = re.compile(rb'"modelTurn"').search


def hooks_of(module: str, endpoint: Endpoint) -> tuple[Hook, ...]:
    """Returns the hook: `module` has the sessions, `endpoint` is that of a response."""
    return (Hook(module, "AsyncSession.__init__", opens=partial(_follow_session, module, endpoint), optional=True),)


def _follow_session(module: str, endpoint: Endpoint, _session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Reads what a new session's websocket receives. The session is no call itself."""
    given = dict(zip(("api_client", "websocket"), args, strict=False)) | kwargs
    websocket = given["websocket"]
    if not type(websocket).__module__.startswith("websockets."):
        return  # a test's own
    opening = _locals_of_connect(module)
    model, uri = opening.get("model"), opening.get("uri")
    default = "gcp.vertex_ai" if getattr(given["api_client"], "vertexai", False) else "gcp.gemini"
    server = server_of(parsed_url(uri if isinstance(uri, str) else ""), default)
    _follow(websocket, _Responses(endpoint, server, model.rpartition("/")[2] if isinstance(model, str) else ""))


def _locals_of_connect(module: str) -> dict[str, Any]:
    """Returns the values of the SDK's `connect`, which makes the session, and keeps neither model nor address in it."""
    frame = sys._getframe(1)  # noqa: SLF001 - only the stack knows them
    for _ in range(_MOST_FRAMES):
        if frame.f_code.co_name == "connect" and frame.f_globals.get("__name__") == module:
            return dict(frame.f_locals)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return {}


def _follow(websocket: Any, responses: _Responses) -> None:
    """Replaces the methods of one connection."""
    receive, close = websocket.recv, websocket.close

    @wraps(receive)
    async def recv(*args: Any, **kwargs: Any) -> Any:
        try:
            message = await receive(*args, **kwargs)
        except Exception as error:
            _guarded(responses.fail, error)
            raise
        _guarded(responses.take, message)
        return message

    @wraps(close)
    async def close_followed(*args: Any, **kwargs: Any) -> Any:
        _guarded(responses.end, None)
        return await close(*args, **kwargs)

    websocket.recv, websocket.close = recv, close_followed


def _guarded(step: Callable[[Any], None], value: Any) -> None:
    try:
        step(value)
    except Exception as failure:
        internal_error("live", failure)


class _Responses:
    """The responses of one session, of which one at most is under way."""

    __slots__ = ("_endpoint", "_is_over", "_model", "_server", "_under_way")

    def __init__(self, endpoint: Endpoint, server: Server, model: str) -> None:
        self._endpoint = endpoint
        self._server = server
        self._model = model
        self._under_way: FollowedStream | None = None
        self._is_over = False  # the turn; a usage may follow

    def take(self, message: Any) -> None:
        """Reads a message."""
        data = message.encode() if isinstance(message, str) else message
        if not _is_read(data):
            if _is_response(data):
                self._begin()
            return
        fields = fields_of(parsed(data))
        is_stated = states_usage(fields)
        if begins(fields) or (is_stated and self._under_way is None):
            self._begin()
        if self._under_way is None:
            return
        self._under_way.chunks.absorb(fields)
        self._is_over = self._is_over or ends_turn(fields)
        if is_stated:
            self.end(None, exhausted=True)

    def _begin(self) -> None:
        """Begins a response. The one before has ended without a usage, if its turn is over."""
        if self._is_over:
            self.end(None, exhausted=True)
        if self._under_way is None:
            request = self._endpoint.request(self._server, {}, self._model, True)
            exchange = Exchange(request, (), {}, self._endpoint.read, call=recorder.start(request))
            if exchange.call is None or self._endpoint.chunks is None:
                return
            self._under_way = FollowedStream(exchange, self._endpoint.chunks({}, False))
        if self._under_way.exchange.call is not None:
            self._under_way.exchange.call.first_chunk()

    def fail(self, error: Exception) -> None:
        """Records the response under way when the connection is closed; an interrupted `recv` loses no message."""
        if any(kind.__name__ == "ConnectionClosed" for kind in type(error).__mro__):
            self.end(None if type(error).__name__ == "ConnectionClosedOK" else error)

    def end(self, error: BaseException | None, *, exhausted: bool = False) -> None:
        """Records the response under way."""
        followed, self._under_way, self._is_over = self._under_way, None, False
        if followed is not None:
            followed.end(exhausted=exhausted, error=error)

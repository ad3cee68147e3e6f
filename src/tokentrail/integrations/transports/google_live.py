"""Google's Live sessions: a websocket, whose messages the SDK turns into its models; the first versions leave out the usage. So the bytes are read.

AsyncLive.connect(model=…)                opens the websocket, sends the model, and makes the session
AsyncSession(api_client, websocket)       every way to receive (`receive`, `start_stream`) calls the websocket's `recv`
the websocket's `close`                   is called at the end of `async with`, and by `AsyncSession.close`

A response of the model is a call: from its first message to the message that states its usage. Sound, which most messages are, is not parsed. A
response that is under way when the session is cut is recorded with the exception, as an error; when the application closes the session, as partial.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, Final

import msgspec

from tokentrail.frames import passed_over
from tokentrail.instrumentation.contract import Endpoint, Exchange, Hook
from tokentrail.instrumentation.streams import FollowedStream
from tokentrail.integrations.shapes.gemini_live import begins, ends_turn, states_usage
from tokentrail.integrations.shapes.json_objects import NO_JSON, fields_of, parsed_json
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import Server, server_of
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["hooks_of"]

_MOST_FRAMES: Final = 8
_parse: Final = msgspec.json.Decoder().decode
_READ: Final = ('"text"', '"usageMetadata"', '"turnComplete"', '"toolCall"', '"interrupted"')
"""Of these, one stands in every message that is read; in any other one, sound, the model's turn at most is seen."""
_TURN: Final = '"modelTurn"'
_READ_BYTES: Final = tuple(mark.encode() for mark in _READ)
_TURN_BYTES: Final = _TURN.encode()
_MORE: Final = ("turnComplete", "turnCompleteReason", "interrupted", "outputTranscription")
"""What may stand in a message's content beside a piece of text."""


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


@passed_over
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
        responses.take(message)
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

    __slots__ = ("_endpoint", "_is_over", "_model", "_server", "_texts", "_under_way")

    def __init__(self, endpoint: Endpoint, server: Server, model: str) -> None:
        self._endpoint = endpoint
        self._server = server
        self._model = model
        self._under_way: FollowedStream | None = None
        self._is_over = False  # the turn; a usage may follow
        self._texts: list[str] | None = None  # of the response under way, as long as its turn goes on

    def take(self, message: Any) -> None:
        """Reads a message. Sound costs no further call, and a piece of text that of parsing."""
        try:
            is_text = type(message) is str
            for mark in _READ if is_text else _READ_BYTES:
                if mark in message:
                    break
            else:
                if self._texts is None and (_TURN if is_text else _TURN_BYTES) in message:
                    self._begin()
                return
            fields = None
            if self._texts is not None:
                try:
                    fields = _parse(message)
                    content = fields["serverContent"]
                    (part,) = content["modelTurn"]["parts"]
                    text = part["text"]
                    for name in _MORE:
                        if name in content:
                            break
                    else:
                        if type(text) is str and not ("usageMetadata" in fields or "toolCall" in fields):
                            self._texts += (text,) if text else ()
                            return
                except (KeyError, TypeError, ValueError, *NO_JSON):
                    pass
            self._take(fields_of(fields if fields is not None else parsed_json(message.encode() if is_text else message)))
        except Exception as failure:
            internal_error("live", failure)

    def _take(self, fields: Mapping[str, Any]) -> None:
        """Reads any message; see `take`."""
        is_stated = states_usage(fields)
        if begins(fields) or (is_stated and self._under_way is None):
            self._begin()
        if self._under_way is None:
            return
        self._under_way.chunks.absorb(fields)
        if ends_turn(fields):
            self._is_over, self._texts = True, None
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
        self._texts = getattr(self._under_way.chunks, "texts", None)

    def fail(self, error: Exception) -> None:
        """Records the response under way when the connection is closed; an interrupted `recv` loses no message."""
        if any(kind.__name__ == "ConnectionClosed" for kind in type(error).__mro__):
            self.end(None if type(error).__name__ == "ConnectionClosedOK" else error)

    def end(self, error: BaseException | None, *, exhausted: bool = False) -> None:
        """Records the response under way."""
        followed, self._under_way, self._is_over, self._texts = self._under_way, None, False, None
        if followed is not None:
            followed.end(exhausted=exhausted, error=error)

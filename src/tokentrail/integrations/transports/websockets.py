"""Sessions over a websocket, of SDKs that Stainless generates: each call of the session's model is followed like a stream, and is a row of its own.

ConnectionManager.__enter__()      connects, and returns the connection; the manager holds client and model
Connection.recv_bytes()            every way to receive (`recv`, `for`, `dispatch_events`, a loop of the application's) calls this method; it is
                                   replaced in one connection, for sound arrives fifty times a second
Connection.send(event)             what the application sends; only read where an API's answers do not name what they answer
Connection.close()                 ends the calls that are under way

A message that is no event of interest is not parsed. A call that is under way when the session is cut is recorded with the exception, as an error;
when the application closes or drops the session, as partial.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial, wraps
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec

from tokentrail.frames import passed_over
from tokentrail.instrumentation.contract import Chunks, Endpoint, Exchange, Hook, Reading, Request
from tokentrail.instrumentation.streams import FollowedStream
from tokentrail.integrations.shapes.json_objects import NO_JSON, fields_of, parsed_json, unix_seconds
from tokentrail.integrations.shapes.sessions import Dialect
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import Server, server_of
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["close_hooks", "hooks_of"]

_parse: Final = msgspec.json.Decoder().decode
_MAX_ASKED: Final = 64
"""Requests that are kept until their answer begins."""

_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def hooks_of(module: str, name: str, provider: str, dialect: Dialect) -> tuple[Hook, ...]:
    """Returns the hooks: `module` has the connections, `name` is the start of their classes' names, `provider` the default for unknown hosts."""
    return tuple(_hooks(module, name, provider, dialect))


def _hooks(module: str, name: str, provider: str, dialect: Dialect) -> Iterator[Hook]:
    for is_async in (False, True):
        connection = f"{'Async' if is_async else ''}{name}Connection"
        enter = "__aenter__" if is_async else "__enter__"
        hook = partial(Hook, module, is_async=is_async, optional=True)
        yield hook(f"{connection}Manager.{enter}", opens=partial(_open_session, provider, dialect, is_async))
        yield hook(f"{connection}.close", opens=_open_close)
        if dialect.asks:
            yield hook(f"{connection}.send", opens=_note_request)


def close_hooks(module: str, name: str) -> tuple[Hook, ...]:
    """Returns the hooks of `close` of connections that inherit the method: `name` is the base of the sync class, the async one is named after it."""
    return (
        Hook(module, f"{name}.close", opens=_open_close, optional=True),
        Hook(module, f"Async{name}.close", opens=_open_close, is_async=True, optional=True),
    )


def _open_session(provider: str, dialect: Dialect, is_async: bool, manager: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    held = {name.rpartition("__")[2]: value for name, value in vars(manager).items()}  # private names of the manager's class
    client, model = held["client"], held.get("model")
    url = getattr(client, "websocket_base_url", None) or client.base_url
    server = server_of(parsed_url(url) if isinstance(url, str) else url, provider)
    claims = dialect.claims or isinstance(held.get("call_id"), str)  # a call of a telephone or a browser, which several connections may watch
    session = Session(dialect, server, model if isinstance(model, str) else "", claims)
    return _exchange_of(args, kwargs, partial(_begin, session, is_async))


def _begin(session: Session, is_async: bool, _exchange: Exchange, connection: Any) -> Any:
    """Keeps the session of a connection while the connection lives, and reads what the connection receives."""
    _sessions[connection] = session
    receive = getattr(connection, "recv_bytes", None)
    if receive is not None:
        connection.recv_bytes = _received_async(session, receive) if is_async else _received(session, receive)
    return connection


@passed_over
def _received(session: Session, receive: Any) -> Any:
    @wraps(receive)
    def recv_bytes(*args: Any, **kwargs: Any) -> Any:
        try:
            message = receive(*args, **kwargs)
        except BaseException as error:
            session.fail(error)
            raise
        session.take(message)
        return message

    return recv_bytes


@passed_over
def _received_async(session: Session, receive: Any) -> Any:
    @wraps(receive)
    async def recv_bytes(*args: Any, **kwargs: Any) -> Any:
        try:
            message = await receive(*args, **kwargs)
        except BaseException as error:
            session.fail(error)
            raise
        session.take(message)
        return message

    return recv_bytes


def _open_close(connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    session = _sessions.get(connection)
    return _exchange_of(args, kwargs, session.close) if session is not None else None


def _note_request(connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    session = _sessions.get(connection)
    if session is not None:
        session.note(fields_of(args[0] if args else kwargs.get("event")))


def _exchange_of(args: tuple[Any, ...], kwargs: dict[str, Any], deliver: Any) -> Exchange:
    """Returns an exchange that is no call itself."""
    return Exchange(_NO_CALL, args, kwargs, _read_nothing, deliver, deferred=True)


def _read_nothing(_result: Any) -> None:
    """Reads no answer: a message of a session may begin or end a call, and is none."""


_NO_CALL: Final = Request(provider="", endpoint="", gen_ai_operation="")


class Session:
    """The calls of one connection that are under way."""

    __slots__ = ("_asked", "_calls", "_claims", "_dialect", "_model", "_newest", "_server", "_settings", "_texts")

    def __init__(self, dialect: Dialect, server: Server, model: str, claims: bool) -> None:
        self._dialect = dialect
        self._server = server
        self._model = model
        self._claims = claims
        self._settings: Mapping[str, Any] = {}
        self._asked: deque[Mapping[str, Any]] = deque(maxlen=_MAX_ASKED)
        self._calls: dict[str, FollowedStream] = {}
        self._newest = ""  # the call that began last, of those under way
        self._texts: dict[str, list[str]] = {}  # of the calls of which something has come

    def note(self, event: Mapping[str, Any]) -> None:
        """Keeps a request until its answer begins."""
        if event.get("type") == self._dialect.asks:
            self._asked.append(event)

    def take(self, message: Any) -> None:
        """Reads a message. Sound costs no further call, and a piece of text that of parsing."""
        try:
            data = message.encode() if type(message) is str else message
            for mark in self._dialect.marks:
                if mark in data:
                    break
            else:
                return
            event = None
            try:
                event = inside = _parse(data)
                if event["type"] in self._dialect.wrapping:
                    inside = event["event"]
                text = inside[self._dialect.texts[inside["type"]]]
                texts = self._texts[inside["response_id"] if "response_id" in inside else self._newest]
                if type(text) is str:
                    texts += (text,)
                    return
            except (KeyError, TypeError, *NO_JSON):
                pass
            fields = fields_of(parsed_json(data) if event is None else event)
            kind = fields.get("type")
            self._take(fields_of(fields.get("event")) if isinstance(kind, str) and kind in self._dialect.wrapping else fields)
            self._newest = next(reversed(self._calls), "")
        except Exception as failure:
            internal_error("session", failure)

    def close(self, _exchange: Exchange, result: Any) -> Any:
        """Records the calls under way, when the application closes the connection."""
        self._end_all(None)
        return result

    def fail(self, error: BaseException) -> None:
        """Records the calls under way when the connection is closed; an interrupted `recv_bytes` loses no message."""
        try:
            if any(kind.__name__ == "ConnectionClosed" for kind in type(error).__mro__):
                self._end_all(None if type(error).__name__ == "ConnectionClosedOK" else error)
        except Exception as failure:
            internal_error("session", failure)

    def _end_all(self, error: BaseException | None) -> None:
        self._texts.clear()
        while self._calls:
            self._calls.popitem()[1].end(error=error)

    def _take(self, event: Mapping[str, Any]) -> None:
        dialect, kind = self._dialect, event.get("type")
        if not isinstance(kind, str):
            return
        settings = dialect.settings(event)
        if settings is not None:
            self._settings = fields_of(settings)
        named = dialect.identify(event)
        place = named if isinstance(named, str) and named else next(reversed(self._calls), "")
        begun, ended = dialect.begins.get(kind), dialect.ends.get(kind)
        if begun is not None:
            self._start(begun, place)
        elif ended is not None and place not in self._calls and (self._asked or not dialect.asks):
            self._start(ended, place)
        followed = self._calls.get(place)
        if followed is None:
            return
        if begun is None and ended is None:
            if followed.exchange.call is not None:
                followed.exchange.call.first_chunk()
            if (texts := getattr(followed.chunks, "texts", None)) is not None:
                self._texts[place] = texts
        followed.chunks.absorb(event)
        if ended is not None:
            self._calls.pop(place, None)
            self._texts.pop(place, None)
            followed.end(exhausted=True)

    def _start(self, endpoint: Endpoint, place: str) -> None:
        """Starts a call; a request that the application has sent is the call's."""
        asked = self._asked.popleft() if self._asked else {}
        if endpoint.instead is not None and asked.get(endpoint.instead[0]):
            endpoint = endpoint.instead[1]
        model = self._dialect.model_of(endpoint, self._settings)
        if model is None:
            model = asked.get("model") or self._model or self._settings.get("model")
        request = endpoint.request(self._server, asked, model if isinstance(model, str) else "", True)
        exchange = Exchange(request, (), {}, endpoint.read, deferred=endpoint.deferred)
        if not endpoint.deferred:
            exchange.call = recorder.start(request)
        if endpoint.chunks is not None and (endpoint.deferred or exchange.call is not None):
            chunks = endpoint.chunks(asked if self._dialect.asks else self._settings, False)
            self._calls[place] = FollowedStream(exchange, _Claimed(chunks) if self._claims else chunks)


class _Claimed:
    """The chunks of a call that several connections may see: the answer's id makes the key."""

    __slots__ = ("_chunks", "_created", "texts")

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._created = 0
        self.texts: list[str] | None = getattr(chunks, "texts", None)

    def absorb(self, event: Any) -> bool:
        """Takes an event."""
        self._created = unix_seconds(fields_of(fields_of(event).get("response")).get("created_at")) or self._created
        return self._chunks.absorb(event)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        reading = self._chunks.reading(exhausted=exhausted)
        if reading is not None and isinstance(reading[0].response_id, str):
            reading[0].object_id, reading[0].object_created = reading[0].response_id, self._created
        return reading

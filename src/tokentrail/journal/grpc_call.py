"""One unary gRPC call at a time over one HTTP/2 connection: a socket and the package h2, nothing else.

The package grpcio is not used, on purpose. Its threads do not exist in a forked child, and its fork support is a setting of the whole process. Seen
while a parent kept calling (grpcio 1.85.3, Linux): with GRPC_ENABLE_FORK_SUPPORT=0 8 of 8 forked children hung in their first call; with 1 a call of
the parent failed; without the variable each fork wrote to standard error, and a child ran into its deadline. A socket that a child never uses has
none of these failures, and an application's own grpcio is not disturbed.

Sources: "gRPC over HTTP2" (PROTOCOL-HTTP2.md) for framing, headers and reset codes; "HTTP to gRPC Status Code Mapping".
"""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - needed for host name lookups; imported now, since another thread may fork during the first call
import socket
import ssl
import struct
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import h2.events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from tokentrail.journal.endpoint import Target
from tokentrail.journal.headers import unlogged
from tokentrail.journal.otlp import USER_AGENT
from tokentrail.journal.tls import CLIENTS_CERTIFICATE

__all__ = ["Answered", "Channel", "NotGrpc"]

MAX_ANSWER: Final = 64 * 1024
CONNECT_SECONDS: Final = 10.0
STATUS_OF_HTTP: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
STATUS_OF_RESET: Final[dict[int, int]] = {
    ErrorCodes.REFUSED_STREAM: 14,
    ErrorCodes.CANCEL: 1,
    ErrorCodes.ENHANCE_YOUR_CALM: 8,
    ErrorCodes.INADEQUATE_SECURITY: 7,
}
UNKNOWN: Final = 2
INTERNAL: Final = 13


class NotGrpc(Exception):  # noqa: N818 - an answer, passed to the exporter, not an error
    """The server at the address does not speak gRPC."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a call: status code, status message, the serialized `google.rpc.Status` if one was sent, and the response message."""

    status: int
    message: str = ""
    details: str = ""
    body: bytes = b""


@dataclass(slots=True)
class _Stream:
    """The parts of one answer received so far."""

    number: int
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None


class Channel:
    """Calls one server; used by one thread."""

    def __init__(self, target: Target, *, context: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._context = context
        self._socket: socket.socket | None = None
        self._http = H2Connection()
        self._speaks_http2 = False

    def call(self, path: str, metadata: Iterable[tuple[str, str]], message: bytes, *, compressed: bool, timeout: float) -> Answered:
        """Sends one message and waits for the answer. Raises `NotGrpc` or `OSError` (`TimeoutError` after `timeout` seconds)."""
        deadline = time.monotonic() + timeout
        headers = [
            (":method", "POST"),
            (":scheme", "https" if self._target.tls else "http"),
            (":path", path),
            (":authority", self._target.authority),
            ("te", "trailers"),
            ("grpc-timeout", f"{min(99_999_999, max(1, int(timeout * 1000)))}m"),
            ("content-type", "application/grpc"),
            ("user-agent", USER_AGENT),
            ("grpc-accept-encoding", "identity,gzip"),
            *([("grpc-encoding", "gzip")] if compressed else []),
            *metadata,
        ]
        framed = struct.pack(">BI", compressed, len(message)) + message
        reused = self._is_open()
        try:
            return self._call_once(headers, framed, deadline)
        except TimeoutError:
            self.close()
            raise
        except (OSError, NotGrpc):
            self.close()
            if not reused:
                raise
        # a reused connection may have been ended by the server or a proxy: call once more on a new connection
        try:
            return self._call_once(headers, framed, deadline)
        except (OSError, NotGrpc):
            self.close()
            raise

    def _call_once(self, headers: list[tuple[str, str]], framed: bytes, deadline: float) -> Answered:
        try:
            if self._socket is None:
                self._connect(deadline)
            return _answered(self._exchange(headers, framed, deadline))
        except ProtocolError as error:
            if not self._speaks_http2:
                raise NotGrpc("what answers there does not speak HTTP/2, which gRPC needs") from error
            raise ConnectionError(f"the HTTP/2 connection ended: {error}") from error

    def _connect(self, deadline: float) -> None:
        seconds = min(_seconds_left(deadline), CONNECT_SECONDS)
        if self._target.unix:
            connected = socket.socket(socket.AF_UNIX)
            self._socket = connected
            connected.settimeout(seconds)
            connected.connect(self._target.unix)
        else:
            self._socket = connected = socket.create_connection((self._target.host, self._target.port), seconds)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            connected.settimeout(min(_seconds_left(deadline), CONNECT_SECONDS))
            self._socket = encrypted = self._context.wrap_socket(connected, server_hostname=self._target.host)
            if encrypted.selected_alpn_protocol() != "h2":
                raise NotGrpc("what answers there does not agree to HTTP/2, which gRPC needs")
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.local_settings = Settings(client=True, initial_values={SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: MAX_ANSWER})
        self._speaks_http2 = False
        self._http.initiate_connection()

    def _exchange(self, headers: list[tuple[str, str]], framed: bytes, deadline: float) -> _Stream:
        stream = _Stream(self._http.get_next_available_stream_id())
        with unlogged():
            self._http.send_headers(stream.number, headers)
        sent = 0
        while not stream.ended:
            while sent < len(framed):
                room = min(self._http.local_flow_control_window(stream.number), self._http.max_outbound_frame_size)
                if room <= 0:  # the server's flow control window is full: send more after the next read
                    break
                piece = framed[sent : sent + room]
                sent += len(piece)
                self._http.send_data(stream.number, piece, end_stream=sent == len(framed))
            self._flush(deadline)
            self._read(stream, deadline)
        if sent < len(framed) and stream.reset is None:  # answered early: the rest is not needed
            self._http.reset_stream(stream.number, ErrorCodes.CANCEL)
            self._flush(deadline)
        return stream

    def _read(self, stream: _Stream, deadline: float) -> None:
        if self._socket is None:
            raise ConnectionError("the connection is closed")
        self._socket.settimeout(_seconds_left(deadline))
        try:
            received = self._socket.recv(65536)
        except ConnectionResetError:
            received = b""
        if not received:
            raise ConnectionError("the connection was closed by the other side" if self._speaks_http2 else self._hung_up)
        for event in self._http.receive_data(received):
            self._handle_event(event, stream)
        self._flush(deadline)

    @property
    def _hung_up(self) -> str:
        """The sentence about a server that has hung up before it said anything: over TLS 1.3 it does so to a client without a certificate."""
        about = f" {CLIENTS_CERTIFICATE}" if self._context is not None else ""
        return f"hung up without a word of HTTP/2: is this the gRPC port?{about}"

    def _handle_event(self, event: h2.events.Event, stream: _Stream) -> None:
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self._speaks_http2 = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise ConnectionError(f"the server ended the connection (GOAWAY {event.error_code})")
        elif getattr(event, "stream_id", None) != stream.number:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = dict(_text(event.headers))
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = dict(_text(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data or b""
            if len(stream.body) > MAX_ANSWER:
                raise NotGrpc(f"the answer is longer than {MAX_ANSWER} bytes")
            self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream.number)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            # a server that has answered may reset the stream instead of reading the rest
            stream.ended, stream.reset = True, int(event.error_code or 0)

    def _flush(self, deadline: float) -> None:
        data = self._http.data_to_send()
        if data and self._socket is not None:
            self._socket.settimeout(_seconds_left(deadline))
            self._socket.sendall(data)

    def _is_open(self) -> bool:
        """Reads what the server sent between two calls. Closes the connection and returns false if the connection cannot be used any more."""
        if self._socket is None:
            return False
        try:
            self._socket.settimeout(0)
            while received := self._socket.recv(65536):
                if any(isinstance(event, h2.events.ConnectionTerminated) for event in self._http.receive_data(received)):
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # nothing more to read; answers to pings are sent with the next call
        except (OSError, ProtocolError):
            pass
        self.close()
        return False

    def close(self) -> None:
        """Closes the connection; the next call opens another one."""
        closing, self._socket = self._socket, None
        if closing is not None:
            with contextlib.suppress(OSError, ProtocolError):
                self._http.close_connection()
                closing.settimeout(0.2)
                closing.sendall(self._http.data_to_send())
            with contextlib.suppress(OSError):
                closing.close()


def _answered(stream: _Stream) -> Answered:
    """Returns the answer of a stream, by the gRPC specification's tables."""
    end = stream.trailers if "grpc-status" in stream.trailers else stream.headers  # "Trailers-Only" where there is no message
    if "grpc-status" in end:
        status = int(end["grpc-status"]) if end["grpc-status"].isdecimal() else UNKNOWN
        body = _message(stream) if status == 0 else b""
        return Answered(status, unquote(end.get("grpc-message", "")), end.get("grpc-status-details-bin", ""), body)
    http_status = stream.headers.get(":status", "")
    if http_status.isdecimal() and http_status != "200":
        return Answered(STATUS_OF_HTTP.get(int(http_status), UNKNOWN), f"HTTP status {http_status}")
    if stream.headers and not stream.headers.get("content-type", "").startswith("application/grpc"):
        raise NotGrpc(f"the answer has {stream.headers.get('content-type') or 'no content type'} and no gRPC status")
    if stream.reset is not None:
        return Answered(STATUS_OF_RESET.get(stream.reset, INTERNAL), f"the stream was reset ({stream.reset})")
    raise NotGrpc("the answer has no gRPC status")


def _message(stream: _Stream) -> bytes:
    """Returns the answer's one message. Raises `NotGrpc` if there is none, or more than one."""
    if len(stream.body) < 5:  # noqa: PLR2004 - a flag and four bytes of length
        raise NotGrpc("the answer holds no message")
    packed, size = struct.unpack_from(">BI", stream.body)
    message = bytes(stream.body[5:])
    if size != len(message):
        raise NotGrpc("the answer holds more or less than one message")
    if not packed:
        return message
    if stream.headers.get("grpc-encoding") != "gzip":
        raise NotGrpc(f"the answer is compressed with {stream.headers.get('grpc-encoding') or 'nothing'}")
    try:
        return zlib.decompressobj(wbits=31).decompress(message, MAX_ANSWER)
    except zlib.error as error:
        raise NotGrpc(f"the answer cannot be unpacked: {error}") from error


def _text(headers: Iterable[Any] | None) -> Iterable[tuple[str, str]]:
    for name, value in headers or ():
        yield (
            name if isinstance(name, str) else name.decode("utf-8", "replace"),
            value if isinstance(value, str) else value.decode("utf-8", "replace"),
        )


def _seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time for one request is up")
    return left

"""The stage over gRPC: a recording's JSON documents as the messages of the SDK's own protobufs, which real grpcio sends.

A recording has the method as its path (`/acme.Chat/Ask`), and each message as JSON (`google.protobuf.json_format`); a stream's are lines. An error
has the code of its HTTP status, or that in the header `grpc-status`; its text is the header `grpc-message`, or the body. Other headers are
metadata. What is no JSON is sent unchanged, and no client can read it as a message.

The client's connection goes through `Wire`, which can end, since a server of grpcio ends its answers in good order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from tokentrail.testing.conformance.stage import Asked, Plan, Stage, UnplayableError
from tokentrail.testing.conformance.wire import Wire
from tokentrail.testing.recording import Recording

__all__ = ["GrpcStage"]

OK = 200
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""The code of an HTTP status, as google.rpc.Code maps them."""
_BY_NUMBER = {str(code.value[0]): code for code in grpc.StatusCode}
_OF_HTTP = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "date", "server"})
_STRANGER = b"\xf8\xff\xff\xff\x0f\x01"
"""A field of the highest number there is, on the wire: none of today's messages has it."""


class GrpcStage(Stage):
    """The server of SDKs that speak gRPC: its address is `localhost:` and a port, for a channel that is insecure or has local credentials."""

    forks: ClassVar[bool] = False  # gRPC's threads hold locks that a child never gets
    busy: ClassVar[Plan] = Plan(503, {}, [b"busy"])

    def __enter__(self) -> GrpcStage:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="tokentrail-stage")
        sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._server = grpc.server(self._threads, handlers=(_Handlers(self),), options=[*sizes, ("grpc.so_reuseport", 0)])
        port = self._server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
        self._server.start()
        self._wire = Wire(port)
        self._carried = 0
        return self

    def __exit__(self, *_: object) -> None:
        self.go.set()
        self._wire.close()
        self._server.stop(0).wait()
        self._threads.shutdown(wait=True)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"localhost:{self._wire.port}"

    def play(self, *args: Any, **more: Any) -> None:
        """Answers every request from now on; see `Stage.play`."""
        super().play(*args, **more)
        self._carried = self._wire.carried

    def may_come(self, waited: float) -> bool:
        """Whether a request may be on its way: a channel connects when the first request is sent."""
        return waited < (5.0 if self._wire.carried > self._carried else 0.2)

    def cut(self) -> None:
        """Ends the client's connection, as a network does."""
        time.sleep(0.05)  # what was sent arrives before the end does
        self._wire.cut()

    def plan_of(self, recording: Recording, pieces: list[bytes] | None, status: int | None, content_type: str | None) -> Plan:  # noqa: ARG002 - of HTTP
        """Returns the answer of a recording, as messages on the wire; the text of an error stays a text."""
        sent, code = recording.chunks if pieces is None else pieces, status or recording.status
        headers = {name.lower(): value for name, value in recording.headers.items() if name.lower() not in _OF_HTTP}
        if code < min(_CODES) and headers.get("grpc-status", "0") == "0":
            sent = [self.message_of(recording.path, piece) for piece in sent]
            if not recording.stream and len(sent) > 1:
                raise UnplayableError("an answer that is no stream has one message")
        return Plan(code, headers, sent)

    def message_of(self, path: str, piece: bytes) -> bytes:
        """Returns a JSON document as a message that answers this method, as bytes; raises `UnplayableError` if the message has no such form."""
        try:
            document = json.loads(piece)
        except (ValueError, RecursionError):
            return piece
        if not isinstance(document, dict):
            raise UnplayableError("a message of protobuf is an object")
        message: Message = message_factory.GetMessageClass(_method(path).output_type)()
        try:
            json_format.ParseDict(document, message, ignore_unknown_fields=True)
        except json_format.ParseError as error:
            raise UnplayableError(f"a message of protobuf has no such value: {error}") from None
        if "tomorrows_field" in document:
            _add_stranger(message)
        return message.SerializeToString()

    def answer(self, path: str, request: bytes, context: Any) -> Iterator[bytes]:
        """Yields the messages of the answer to a request."""
        plan = self.next_plan(Asked("POST", path, _json_of(path, request), str(context.invocation_metadata())))
        if plan.cut_after == 0:
            return self.cut()
        code = _code_of(plan)
        metadata = [(name, value) for name, value in plan.headers.items() if not name.startswith("grpc-")]
        if code is not None:
            context.set_trailing_metadata(metadata)
            context.abort(code, plan.headers.get("grpc-message") or b"".join(plan.pieces).decode("utf-8", "replace"))
        context.send_initial_metadata(metadata)
        for number, piece in enumerate(plan.pieces):
            if number == plan.cut_after:
                return self.cut()
            if number == plan.hold_after and not self.held(partial(_is_gone, context)):
                return self._wire.cut() if self.gave_up else None
            yield piece
        return None


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every method: an answer of one message looks the same on the wire, whether the client expects a stream or not."""

    def __init__(self, stage: GrpcStage) -> None:
        self._stage = stage

    def service(self, handler_call_details: Any) -> Any:
        """Returns the handler of a method."""
        return grpc.unary_stream_rpc_method_handler(partial(self._stage.answer, handler_call_details.method))


def _is_gone(context: Any) -> bool:
    time.sleep(0.005)
    return not context.is_active()


def _code_of(plan: Plan) -> grpc.StatusCode | None:
    """Returns the code of an error; None: the answer is none."""
    stated = plan.headers.get("grpc-status")
    if stated is not None and stated != "0":
        return _BY_NUMBER[stated]
    return None if plan.status < min(_CODES) else _CODES.get(plan.status, grpc.StatusCode.UNKNOWN)


def _method(path: str) -> Any:
    """Returns what the SDK's protobufs say of a method; the SDK has to be imported."""
    service, _, name = path.strip("/").rpartition("/")
    return descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)


def _json_of(path: str, request: bytes) -> bytes:
    """Returns a request as JSON, with the protobuf's names."""
    message: Message = message_factory.GetMessageClass(_method(path).input_type).FromString(request)
    return json_format.MessageToJson(message, preserving_proto_field_name=True).encode()


def _add_stranger(message: Message) -> None:
    """Adds a field to a message and to those in it that its protobuf does not know."""
    message.MergeFromString(_STRANGER)
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None and not descriptor.message_type.GetOptions().map_entry:
            for each in value if isinstance(value, Sequence) else [value]:
                _add_stranger(each)

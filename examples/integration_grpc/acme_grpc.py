"""An SDK over gRPC to learn from: `Client.ask` returns an answer, or a stream of parts, which are messages; sync and async.

A real SDK has its messages from a compiler; here they are described by hand, so that the example needs none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {"string": _FIELD.TYPE_STRING, "bool": _FIELD.TYPE_BOOL, "int64": _FIELD.TYPE_INT64}


def _describe(file: Any, name: str, **fields: str) -> None:
    """Adds a message; a number is optional, so that one that is not stated is not 0."""
    message = file.message_type.add(name=name)
    for number, (field, kind) in enumerate(fields.items(), 1):
        added = message.field.add(name=field, number=number, label=_FIELD.LABEL_OPTIONAL)
        if kind in _TYPES:
            added.type = _TYPES[kind]
        else:
            added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".acme.{kind}"
        if kind == "int64":
            added.proto3_optional, added.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field}")


def _messages() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="acme/chat.proto", package="acme", syntax="proto3")
    _describe(file, "Question", model="string", question="string", stream="bool")
    _describe(file, "Tokens", input="int64", output="int64")
    _describe(file, "Answer", text="string", id="string", model="string", tokens="Tokens")
    service = file.service.add(name="Chat")
    service.method.add(name="Ask", input_type=".acme.Question", output_type=".acme.Answer")
    service.method.add(name="AskForParts", input_type=".acme.Question", output_type=".acme.Answer", server_streaming=True)
    pool = descriptor_pool.Default()
    pool.Add(file)
    question, answer = (message_factory.GetMessageClass(pool.FindMessageTypeByName(f"acme.{name}")) for name in ("Question", "Answer"))
    return question, answer


Question, Answer = _messages()
OPTIONS = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", 64 << 20)]


class _Methods:
    """What both clients have in common: a channel's two methods."""

    def __init__(self, target: str, channel: Any, retries: int) -> None:
        self.target, self.retries, self._channel = target, retries, channel
        self._ask = channel.unary_unary("/acme.Chat/Ask", Question.SerializeToString, Answer.FromString)
        self._ask_for_parts = channel.unary_stream("/acme.Chat/AskForParts", Question.SerializeToString, Answer.FromString)

    def _tries_again(self, error: Any, tried: int) -> bool:
        return error.code() is grpc.StatusCode.UNAVAILABLE and tried < self.retries


class Client(_Methods):
    """A client for a server at this address: a host and a port."""

    def __init__(self, target: str, *, retries: int = 0) -> None:
        super().__init__(target, grpc.insecure_channel(target, OPTIONS), retries)

    def ask(self, *, model: str, question: str, stream: bool = False) -> Any:
        """Asks a question; with `stream`, the parts come one by one."""
        asked = Question(model=model, question=question, stream=stream)
        return Stream(self._ask_for_parts(asked, timeout=20)) if stream else self._send(asked)

    def _send(self, asked: Any, tried: int = 0) -> Any:
        try:
            return self._ask(asked, timeout=20)
        except grpc.RpcError as error:
            if not self._tries_again(error, tried):
                raise
        return self._try_again(asked, tried + 1)

    def _try_again(self, asked: Any, tried: int) -> Any:
        return self._send(asked, tried)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


class Stream:
    """The parts of an answer, each when it arrives."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._parts = iter(call)

    def __iter__(self) -> Iterator[Any]:
        return self._parts

    def close(self) -> None:
        """Hangs up."""
        self._call.cancel()


class AsyncClient(_Methods):
    """The same, awaited; it belongs to the loop in which it is made."""

    def __init__(self, target: str, *, retries: int = 0) -> None:
        super().__init__(target, grpc.aio.insecure_channel(target, OPTIONS), retries)

    async def ask(self, *, model: str, question: str, stream: bool = False) -> Any:
        """Asks a question; with `stream`, the parts come one by one."""
        asked = Question(model=model, question=question, stream=stream)
        return AsyncStream(self._ask_for_parts(asked, timeout=20)) if stream else await self._send(asked)

    async def _send(self, asked: Any, tried: int = 0) -> Any:
        try:
            return await self._ask(asked, timeout=20)
        except grpc.RpcError as error:
            if not self._tries_again(error, tried):
                raise
        return await self._try_again(asked, tried + 1)

    async def _try_again(self, asked: Any, tried: int) -> Any:
        return await self._send(asked, tried)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


class AsyncStream:
    """The parts of an answer, awaited."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._parts = aiter(call)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._parts

    async def aclose(self) -> None:
        """Hangs up."""
        self._call.cancel()

"""xAI's SDK (xai-sdk): a chat's methods call gRPC stubs, which are no functions that could be patched; so the methods are.

sample(), sample_batch(n), parse(shape), compact(), _defer(n, …)     make one request, or start a job and poll the job to its end
stream(), stream_batch(n)                                           generators of (response, chunk)
image.sample(prompt, model), image.sample_batch(prompt, model, n)   make one request for one image, or for several
video.generate(prompt, model), video.extend(prompt, model)          start a job and poll the job to its end

Every answer becomes a `Response` (`ImageResponse`, `VideoResponse`), also one that the method refuses after the answer was billed: its message is
kept until the method ends. A chat knows no address; the client, which does, makes the stub that all its chats share.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from tokentrail.instrumentation.around import sanitized, under_way
from tokentrail.instrumentation.contract import Answer, Chunks, Endpoint, Exchange, Hook, Reading, Request
from tokentrail.integrations.transports.generators import deliver, deliver_async
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import Server, server_of

__all__ = ["hooks_of"]

_servers: Final[WeakKeyDictionary[Any, Server]] = WeakKeyDictionary()
"""The server of each stub; a client that was made before the hooks has none."""


def hooks_of(package: str, provider: str, chat: Endpoint, compaction: Endpoint, images: Endpoint, videos: Endpoint) -> tuple[Hook, ...]:
    """Returns the hooks; `provider` is the default for unknown hosts."""
    hooks = [
        Hook(f"{package}.client", "BaseClient.__init__", opens=partial(_open_client, provider)),
        Hook(f"{package}.chat", "Response.__init__", opens=_keep_message),
        Hook(f"{package}.image", "BaseImageResponse.__init__", opens=_keep_message, optional=True),
        Hook(f"{package}.video", "VideoResponse.__init__", opens=_keep_message, optional=True),
    ]
    for kind, is_async in (("sync", False), ("aio", True)):
        module = f"{package}.{kind}.chat"
        opens = partial(_open_chat, provider, chat)
        hooks += [Hook(module, f"Chat.{name}", opens=opens, is_async=is_async) for name in ("sample", "sample_batch", "parse", "_defer")]
        steps = partial(_open_stream, provider, chat, deliver_async if is_async else deliver)
        hooks += [Hook(module, f"Chat.{name}", opens=steps) for name in ("stream", "stream_batch")]
        hooks += [
            Hook(module, "Chat.compact", opens=partial(_open_chat, provider, compaction), is_async=is_async, optional=True),
            Hook(module, "Client.compact_context", opens=partial(_open_compaction, provider, compaction), is_async=is_async, optional=True),
        ]
        for part, endpoint, names in (("image", images, ("sample", "sample_batch")), ("video", videos, ("generate", "extend"))):
            opens = partial(_open_prompt, provider, endpoint)
            hooks += [Hook(f"{package}.{kind}.{part}", f"Client.{name}", opens=opens, is_async=is_async, optional=True) for name in names]
    return tuple(hooks)


def _open_client(provider: str, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    host = kwargs.get("api_host", "api.x.ai")
    return Exchange(
        request=Request("", "", ""),
        args=args,
        kwargs=kwargs,
        read=_read_nothing,
        deliver=partial(_note_server, client, server_of(parsed_url(f"https://{host}"), provider)),
        deferred=True,
    )


def _note_server(client: Any, server: Server, _exchange: Exchange, result: Any) -> Any:
    for name in ("chat", "image", "video"):
        part = getattr(client, name, None)
        if part is not None:
            _servers[part._stub] = server  # noqa: SLF001 - the SDK has no public attribute for the address
    return result


def _read_nothing(_result: Any) -> None:
    return None


class _Exchange(Exchange):
    """A call of a chat's method; `billed` is the answer's message."""


def _keep_message(_response: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    exchange = under_way.get()
    if type(exchange) is _Exchange:
        exchange.billed = args[0] if args else kwargs.get("response", kwargs.get("proto"))


def _exchange(
    provider: str, endpoint: Endpoint, owner: Any, sent: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, stream: bool = False
) -> Exchange:
    server = _servers.get(owner._stub) or Server(provider, "", 0, False)  # noqa: SLF001
    request = endpoint.request(server, sent, sent["model"], stream)
    return _Exchange(request=request, args=args, kwargs=kwargs, read=endpoint.read, deliver=_record, read_error=_read_error)


def _open_chat(provider: str, endpoint: Endpoint, chat: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    asked = chat._proto  # noqa: SLF001 - `proto` is a copy in some versions
    return _exchange(provider, endpoint, chat, {"model": asked.model, "messages": asked.messages}, args, kwargs)


def _open_compaction(provider: str, endpoint: Endpoint, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    return _exchange(provider, endpoint, client, dict(zip(("model", "messages"), args, strict=False)) | kwargs, args, kwargs)


def _open_prompt(provider: str, endpoint: Endpoint, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    return _exchange(provider, endpoint, client, dict(zip(("prompt", "model"), args, strict=False)) | kwargs, args, kwargs)


def _open_stream(provider: str, endpoint: Endpoint, delivers: Any, chat: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
    asked = chat._proto  # noqa: SLF001
    sent = {"model": asked.model, "messages": asked.messages}
    exchange = _exchange(provider, endpoint, chat, sent, args, kwargs, stream=True)
    exchange.deferred = True  # the SDK sends the request with the first step of its generator
    exchange.deliver = partial(delivers, partial(_ChunksOfSteps, endpoint.chunks, sent))
    return exchange


def _record(exchange: Exchange, result: Any) -> Any:
    """Records the answer; the result of a method without a `Response` is the message, or has the message."""
    message = exchange.billed if exchange.billed is not None else getattr(result, "_proto", result)
    reading = exchange.read(message)
    if exchange.call is not None and reading is not None:
        exchange.call.finish(sanitized(reading[0], exchange.attempts), reading[1])
    return result


def _read_error(exchange: Exchange, _error: BaseException) -> Answer | None:
    """Returns the usage of an answer that the SDK could not parse."""
    reading = exchange.read(exchange.billed) if exchange.billed is not None else None
    return None if reading is None else reading[0]


class _ChunksOfSteps:
    """Passes the messages inside a generator's steps, pairs of response and chunk (or lists of both), to the chunks of a shape."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: Any, sent: Mapping[str, Any]) -> None:
        self._chunks: Chunks = chunks(sent, False)

    def absorb(self, step: Any) -> bool:
        """Takes a step."""
        chunk = step[1]
        return self._chunks.absorb((chunk[0] if type(chunk) is list else chunk)._proto)  # noqa: SLF001 - `proto` is a function call

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        return self._chunks.reading(exhausted=exhausted)

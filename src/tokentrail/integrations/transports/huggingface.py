"""Hugging Face's SDK (huggingface_hub): every task of both clients calls `_inner_post`, for Hugging Face, its router, and every other provider.

_inner_post(request_parameters, stream=…)       returns the body's bytes, or an iterator of a stream's lines: texts, and bytes before version 1

`request_parameters` has the task, the URL, and the body as `json`. The SDK stops reading a stream's lines at `[DONE]`, so the stream ends there.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec

from tokentrail.instrumentation.around import sanitized
from tokentrail.instrumentation.contract import Answer, Chunks, Endpoint, Exchange, Hook, Reading
from tokentrail.instrumentation.streams import FollowedStream, follow, follow_async
from tokentrail.integrations.shapes.json_objects import parsed_json
from tokentrail.integrations.transports.urls import parsed_url
from tokentrail.providers.lookup import server_of

__all__ = ["hooks_of"]

AT_ONCE: Final = 64
"""Lines of a stream that are kept before they are parsed."""
NO_MODEL: Final = ("dummy", "tgi", "unknown")
"""What the SDK sends where only a URL names the model."""


def hooks_of(package: str, provider: str, tasks: Mapping[str, Endpoint]) -> tuple[Hook, ...]:
    """Returns the hooks; `provider` is the default for unknown hosts, `tasks` are the endpoints by the SDK's name of the task."""
    opens = partial(_open, provider, tasks)
    return (
        Hook(f"{package}.inference._client", "InferenceClient._inner_post", opens=partial(opens, False)),
        Hook(f"{package}.inference._generated._async_client", "AsyncInferenceClient._inner_post", opens=partial(opens, True), is_async=True),
    )


def _open(
    provider: str, tasks: Mapping[str, Endpoint], is_async: bool, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Exchange | None:
    sent = args[0] if args else kwargs["request_parameters"]
    endpoint, body = _endpoint_of(tasks, sent), sent.json
    if endpoint is None or type(body) is not dict:
        return None
    server = server_of(parsed_url(sent.url), provider)
    streams = bool(kwargs["stream"]) if "stream" in kwargs else False
    more = endpoint.asks_for_usage(client, body, server) if streams and endpoint.asks_for_usage is not None else None
    if more is not None:
        changed = replace(sent, json={**body, **more})
        args, kwargs = ((changed, *args[1:]), kwargs) if args else (args, {**kwargs, "request_parameters": changed})
    exchange = Exchange(
        request=endpoint.request(server, body, _model_of(sent, body), streams),
        args=args,
        kwargs=kwargs,
        read=endpoint.read,
        deliver=partial(_record, endpoint),
    )
    if streams and endpoint.chunks is not None:
        exchange.deliver = partial(_follow, endpoint.chunks(body, more is not None), follow_async if is_async else follow)
    return exchange


def _endpoint_of(tasks: Mapping[str, Endpoint], sent: Any) -> Endpoint | None:
    """Returns the endpoint of a request. Older versions call a chat a text generation, and `post`, which they have, may name no task."""
    is_chat = sent.url.partition("?")[0].endswith("/chat/completions")
    return tasks.get("conversational" if is_chat else sent.task)


def _model_of(sent: Any, body: Mapping[str, Any]) -> str:
    for model in (body.get("model"), sent.model):
        if isinstance(model, str) and model not in NO_MODEL and not model.startswith(("http://", "https://")):
            return model
    return ""


def _record(endpoint: Endpoint, exchange: Exchange, result: Any) -> Any:
    """Records the answer; of one that is no JSON (a gateway's page) the exception that the SDK raises next."""
    if exchange.call is None or not isinstance(result, bytes):
        return result
    if endpoint.token_type == "embedding" and result[:1] == b"[":  # noqa: S105 - vectors alone: long, and they state nothing
        exchange.call.finish(sanitized(Answer(), exchange.attempts))
        return result
    try:
        reading = endpoint.read(_value_of(result))
    except (ValueError, RecursionError) as error:
        exchange.call.finish(sanitized(Answer(), exchange.attempts), "error", error)
        return result
    if reading is not None:
        exchange.call.finish(sanitized(reading[0], exchange.attempts), reading[1])
    return result


def _value_of(body: bytes) -> Any:
    """Returns the JSON value of a body; raises as the SDK does if the body is none."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return json.loads(body.decode())


def _follow(chunks: Chunks, wrap: Any, exchange: Exchange, lines: Any) -> Any:
    """Follows a stream's lines; returns an iterator of the same lines for the SDK."""
    reader = _Lines(chunks)
    followed = FollowedStream(exchange, reader)
    reader.stream = weakref.ref(followed)
    return wrap(lines if wrap is follow_async else filter(None, lines), followed)  # empty lines without a call


class _Lines:
    """Passes the events of a stream's lines to the chunks of a shape: pieces of an answer many at once, any other event when it comes."""

    __slots__ = ("_chunks", "_done", "_room", "_waiting", "stream")

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._done = False
        self._room = AT_ONCE  # how many more may wait
        self._waiting: list[str] = []  # lines that are not decoded yet
        self.stream: weakref.ref[FollowedStream] | None = None

    def absorb(self, line: Any) -> bool:
        """Takes a line; hides the empty ones between events, which the SDK ignores. A piece of an answer costs no further call."""
        text = line if type(line) is str else line.decode(errors="replace")
        if self._room and ('"delta"' in text or '"token"' in text):
            self._waiting += (text,)
            self._room -= 1
            return False
        return self._take(text) if text else True

    def _take(self, text: str) -> bool:
        self._read_waiting()
        if text[:5] != "data:":
            return False
        event = _parsed(text)
        if type(event) is dict:
            return self._chunks.absorb(event)
        if text[5:].strip() == "[DONE]":
            self._done = True
            followed = self.stream() if self.stream is not None else None
            if followed is not None:
                followed.end(exhausted=True)
        return False

    def _read_waiting(self) -> None:
        waiting = [text for text in self._waiting if text[:5] == "data:"]
        self._waiting, self._room = [], AT_ONCE
        try:
            events = msgspec.json.decode("[" + ",".join([text[5:] for text in waiting]) + "]")
        except (ValueError, RecursionError):
            events = map(_parsed, waiting)
        absorb = self._chunks.absorb
        for event in events:
            if type(event) is dict:
                absorb(event)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far."""
        self._read_waiting()
        return self._chunks.reading(exhausted=exhausted or self._done)


def _parsed(line: str) -> Any:
    return parsed_json(line[5:].encode(errors="replace"))

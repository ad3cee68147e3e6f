"""Replaces the provider of a call whose host nothing names by the provider that the answer proves; see `shapes.evidence`.

Only calls to such hosts come here: of a known host, neither a body nor a header is looked at. A stream shows its marks in its first chunk or in its
last ones, so no chunk between them is read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from tokentrail.instrumentation.contract import Answer, Chunks, Endpoint, Exchange, Reading, Request
from tokentrail.integrations.shapes.evidence import proven_by_answer, proven_by_headers
from tokentrail.recording.runtime import internal_error

__all__ = ["ProvingChunks", "parse_and_prove", "prove_by", "proving"]


@lru_cache(256)
def proving(endpoint: Endpoint) -> Endpoint:
    """Returns an endpoint whose chunks remember the marks of a stream."""
    return endpoint if endpoint.chunks is None else replace(endpoint, chunks=partial(ProvingChunks, endpoint.chunks))


def prove_by(exchange: Exchange) -> None:
    """Reads the marks of an exchange's answer, its headers and its exception."""
    request, read, deliver, read_error = exchange.request, exchange.read, exchange.deliver, exchange.read_error
    exchange.read = partial(_read, request, read)
    if deliver is not None:
        exchange.deliver = partial(_deliver, deliver)
    exchange.read_error = partial(_read_error, read_error)


def _note(request: Request, provider: str) -> None:
    if provider and provider != request.provider:
        request.provider, request.is_corrected = provider, True


def _read(request: Request, read: Callable[[Any], Reading | None], result: Any) -> Reading | None:
    try:
        _note(request, proven_by_answer(result))
    except Exception as failure:
        internal_error("evidence", failure)
    return read(result)


def _deliver(deliver: Callable[[Exchange, Any], Any], exchange: Exchange, result: Any) -> Any:
    """Takes the marks of a stream's or a raw response's headers; the chunks of a stream tell theirs at the end."""
    _note_headers(exchange.request, getattr(result, "response", getattr(result, "http_response", result)))
    return deliver(exchange, result)


def _read_error(read_error: Callable[[Exchange, BaseException], Answer | None] | None, exchange: Exchange, error: BaseException) -> Answer | None:
    _note_headers(exchange.request, getattr(error, "response", None))
    return read_error(exchange, error) if read_error is not None else None


def _note_headers(request: Request, response: Any) -> None:
    try:
        headers = getattr(response, "headers", None)
        if isinstance(headers, Mapping):
            _note(request, proven_by_headers(headers))
    except Exception as failure:
        internal_error("evidence", failure)


def parse_and_prove(request: Request, parse: Any, answer: Any) -> Any:
    """The `post_parser` of a Stainless request: the SDK's response, which has the headers, is in the frame that calls this function.

    `parse` is the SDK's own `post_parser`, if the request has one.
    """
    _note_headers(request, getattr(sys._getframe(1).f_locals.get("self"), "http_response", None))  # noqa: SLF001 - no object has them
    return parse(answer) if callable(parse) else answer


class ProvingChunks:
    """The chunks of a stream, of which the first one and the last two are remembered until the stream's end."""

    __slots__ = ("_before", "_chunks", "_first", "_last", "request")

    def __init__(self, chunks: Callable[[Mapping[str, Any], bool], Chunks], body: Mapping[str, Any], asked: bool) -> None:
        self._chunks = chunks(body, asked)
        self._first = self._before = self._last = None
        self.request: Request | None = None

    def absorb(self, chunk: Any) -> bool:
        """Takes a chunk."""
        if self._first is None:
            self._first = chunk
        self._before, self._last = self._last, chunk
        return self._chunks.absorb(chunk)

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far, and reads the marks."""
        kept = (self._first, self._before, self._last)
        self._first = self._before = self._last = None
        if self.request is not None:
            try:
                _note(self.request, next(filter(None, map(proven_by_answer, kept)), ""))
            except Exception as failure:
                internal_error("evidence", failure)
        return self._chunks.reading(exhausted=exhausted)

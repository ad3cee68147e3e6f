"""An SDK to learn from: `Client.ask` returns an answer, or a stream of parts; sync and async; it tries again, and raises what the server says."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

TRIED_AGAIN = frozenset({429, 500, 503})


class AcmeError(Exception):
    """An answer that is an error."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Part(SimpleNamespace):
    """An answer, or a part of a stream: `text`, and in the last part `id`, `model` and `tokens`."""


class Client:
    """A client for a server at this address."""

    def __init__(self, url: str, *, retries: int = 0) -> None:
        self.url, self.retries = urlsplit(url), retries

    def ask(self, *, model: str, question: str, stream: bool = False) -> Any:
        """Asks a question; with `stream`, the parts come one by one."""
        body = {"model": model, "question": question, "stream": stream}
        return Stream(self._send(body)) if stream else Part(**read_json(self._send(body).read()))

    def _send(self, body: dict[str, Any], tried: int = 0) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(str(self.url.hostname), self.url.port or 80, timeout=20)
        try:
            connection.request("POST", "/ask", json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise AcmeError(f"no answer: {type(error).__name__}") from error
        if response.status in TRIED_AGAIN and tried < self.retries:
            connection.close()
            return self._try_again(body, tried + 1)
        if response.status != http.HTTPStatus.OK:
            raise AcmeError(response.read().decode("utf-8", "replace"), response.status)
        return response

    def _try_again(self, body: dict[str, Any], tried: int) -> http.client.HTTPResponse:
        return self._send(body, tried)


class Stream:
    """The parts of an answer, each when it arrives."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self._parts = self._read()

    def _read(self) -> Iterator[Part]:
        for line in self.response:
            yield Part(**read_json(line))

    def __iter__(self) -> Iterator[Part]:
        return self._parts

    def close(self) -> None:
        """Hangs up."""
        self.response.close()

    def __enter__(self) -> Stream:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """The same, awaited: each step runs in a thread."""

    def __init__(self, url: str, *, retries: int = 0) -> None:
        self._client = Client(url, retries=retries)

    async def ask(self, *, model: str, question: str, stream: bool = False) -> Any:
        """Asks a question; with `stream`, the parts come one by one."""
        body = {"model": model, "question": question, "stream": stream}
        response = await asyncio.to_thread(self._client._send, body)
        return AsyncStream(response) if stream else Part(**read_json(await asyncio.to_thread(response.read)))


class AsyncStream:
    """The parts of an answer, awaited."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self._parts = self._read()

    async def _read(self) -> AsyncIterator[Part]:
        while line := await asyncio.to_thread(self.response.readline):
            yield Part(**read_json(line))

    def __aiter__(self) -> AsyncIterator[Part]:
        return self._parts

    async def aclose(self) -> None:
        """Hangs up."""
        self.response.close()


def read_json(text: bytes) -> dict[str, Any]:
    """Returns the fields of an answer."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AcmeError(f"no JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise AcmeError("no JSON object")
    return found

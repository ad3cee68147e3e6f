"""Two models for one answer: Groq's Llama first, a local Ollama (Qwen) where Groq fails or limits the rate.

Each attempt is a call of its own, with a span and a row of its own; where Groq was paid before it failed, both are counted.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import groq
import httpx
import ollama

from tokentrail import track_tokens

GROQ_MODEL = os.environ.get("GROQ_MODEL", "llama-3.3-70b-versatile")
OLLAMA_MODEL = os.environ.get("OLLAMA_MODEL", "qwen2.5:7b")
AWAY = (groq.RateLimitError, groq.InternalServerError, groq.APIConnectionError, httpx.TransportError)
"""Groq limits the rate, fails, cannot be reached, or breaks off a stream. Any other refusal is a mistake of this service."""

AWAY_TOO = (ollama.ResponseError, ConnectionError, httpx.TransportError)

Messages = list[Any]
"""As OpenAI's API has them; both SDKs take them."""


class NobodyAnswersError(Exception):
    """Neither model does."""


class Restart:
    """Within a stream: the words so far are void, another model begins anew."""


class Models:
    """Both clients, open for the life of the service. `GROQ_API_KEY` and `OLLAMA_HOST` are the SDKs' own variables."""

    def __init__(self) -> None:
        self._groq = groq.AsyncGroq(max_retries=0, timeout=30)  # no second try: the second model is there
        self._ollama = ollama.AsyncClient(timeout=120)

    async def __aenter__(self) -> Models:  # noqa: PYI034 - typing.Self is younger than Python 3.10
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._groq.close()

    async def complete(self, messages: Messages, *, as_json: bool = False) -> str:
        """Return the first answer that has a text. An empty one was paid all the same."""
        try:
            text = await self._ask_groq(messages, as_json=as_json)
        except AWAY:
            text = ""
        try:
            return text or await self._ask_ollama(messages, as_json=as_json)
        except AWAY_TOO as error:
            raise NobodyAnswersError("no model answers") from error

    async def stream(self, messages: Messages) -> AsyncIterator[str | Restart]:
        """Yield the words of an answer as they come."""
        begun = False
        try:
            async for word in self._groq_words(messages):
                begun = True
                yield word
        except AWAY:
            if begun:
                yield Restart()
            try:
                async for word in self._ollama_words(messages):
                    yield word
            except AWAY_TOO as error:
                raise NobodyAnswersError("no model answers") from error

    @track_tokens(metadata={"attempt": "groq"})
    async def _ask_groq(self, messages: Messages, *, as_json: bool) -> str:
        form: dict[str, Any] = {"response_format": {"type": "json_object"}} if as_json else {}
        answer = await self._groq.chat.completions.create(model=GROQ_MODEL, messages=messages, **form)
        return answer.choices[0].message.content or ""

    @track_tokens(metadata={"attempt": "ollama, instead of groq"})
    async def _ask_ollama(self, messages: Messages, *, as_json: bool) -> str:
        answer = await self._ollama.chat(model=OLLAMA_MODEL, messages=messages, format="json" if as_json else None)
        return answer.message.content or ""

    @track_tokens(metadata={"attempt": "groq"})
    async def _groq_words(self, messages: Messages) -> AsyncIterator[str]:
        async with await self._groq.chat.completions.create(model=GROQ_MODEL, messages=messages, stream=True) as chunks:
            async for chunk in chunks:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    @track_tokens(metadata={"attempt": "ollama, instead of groq"})
    async def _ollama_words(self, messages: Messages) -> AsyncIterator[str]:
        async for part in await self._ollama.chat(model=OLLAMA_MODEL, messages=messages, stream=True):
            yield part.message.content or ""

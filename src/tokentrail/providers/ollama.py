"""Ollama's SDK: chat, generate, embed, embeddings; sync, async, streams.

All of them, and the functions of the module (`ollama.chat` is bound to a client when the SDK is imported), go through `Client._request`.
A request without messages or prompt loads or unloads a model (`done_reason: load`): nothing is spent, nothing is recorded.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import aclosing
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from tokentrail.call import Answer, Request
from tokentrail.instrumentation.streams import Following, follow, follow_async
from tokentrail.providers import Exchange, Hook, Provider, Reading
from tokentrail.providers.hosts import server_of
from tokentrail.providers.known_text import KNOWN_EMPTY
from tokentrail.providers.openai_shape import texts_of_chat, texts_of_message, texts_of_prompt
from tokentrail.providers.probes import probe_ollama
from tokentrail.recording import recorder

__all__ = ["PROVIDER"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Path:
    """How one path of Ollama's API speaks."""

    endpoint: str
    gen_ai_operation: str
    operation: str
    texts: Any
    token_type: str = "llm"  # noqa: S105 - a kind of token


def _texts_of_generate(body: Mapping[str, Any]) -> Sequence[str]:
    return [text for name in ("system", "prompt", "suffix") if (text := body.get(name)) and isinstance(text, str)]


_PATHS: Final = {
    "/api/chat": Path("chat", "chat", "chat", texts_of_chat),
    "/api/generate": Path("generate", "text_completion", "generation", _texts_of_generate),
    "/api/embed": Path("embeddings", "embeddings", "vector_search", lambda body: texts_of_prompt(body.get("input")), "embedding"),
    "/api/embeddings": Path("embeddings", "embeddings", "vector_search", lambda body: texts_of_prompt(body.get("prompt")), "embedding"),
}


def _open_request(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, is_async: bool) -> Exchange | None:
    """`_request(cls, method, url, json=…, stream=…)`."""
    path = _PATHS.get(args[2]) if len(args) > 2 else None  # noqa: PLR2004 - cls, method, url
    body = kwargs.get("json")
    if path is None or not isinstance(body, dict) or _only_loads(path, body):
        return None
    server = server_of(client._client.base_url, "ollama")  # noqa: SLF001 - the SDK has no public name for it
    streams = bool(kwargs.get("stream"))
    exchange = Exchange(
        request=Request(
            provider=server.provider,
            endpoint=path.endpoint,
            gen_ai_operation=path.gen_ai_operation,
            token_type=path.token_type,
            operation=path.operation,
            model=body.get("model") or "",
            stream=streams,
            server_address=server.address,
            server_port=server.port,
            texts=path.texts(body),
            sends=True,
        ),
        args=args,
        kwargs=kwargs,
        read=_read,
        deferred=streams,  # the SDK makes the request when the stream's first chunk is asked for; a stream that is never read spends nothing
    )
    if streams:
        exchange.deliver = _deliver_async if is_async else _deliver
    return exchange


def _only_loads(path: Path, body: Mapping[str, Any]) -> bool:
    if path.endpoint == "chat":
        return not body.get("messages")
    return path.endpoint == "generate" and not body.get("prompt") and not body.get("suffix") and not body.get("images")


def _add_counts(answer: Answer, response: Any) -> None:
    answer.input_tokens = getattr(response, "prompt_eval_count", None)
    answer.output_tokens = getattr(response, "eval_count", None)


def _read(response: Any) -> Reading:
    """Read an answer that came whole."""
    answer = Answer(model=getattr(response, "model", None) or "", output_texts=_texts(response))
    if reason := getattr(response, "done_reason", None):
        answer.finish_reasons = (reason,)
    _add_counts(answer, response)
    return answer, "complete"


def _texts(response: Any) -> list[str]:
    texts = [text for name in ("response", "thinking") if (text := getattr(response, name, None)) and isinstance(text, str)]
    message = getattr(response, "message", None)
    if message is not None:
        texts += texts_of_message(message)
        if thinking := getattr(message, "thinking", None):
            texts.append(thinking)
    return texts


def _has_others(chunk: Any) -> bool:
    message = getattr(chunk, "message", None)
    return any(getattr(place, name, None) for place in (chunk, message) for name in ("tool_calls", "images", "image", "completed"))


class OllamaChunks:
    """What is gathered from a stream: texts, and the counts of the chunk that says `done`."""

    __slots__ = ("last", "model", "others", "texts")

    def __init__(self) -> None:
        self.last: Any = None
        self.model = ""
        self.others = False  # calls of tools, images: what came beside texts
        self.texts: list[str] = []

    def absorb(self, chunk: Any) -> bool:
        """Take a chunk's texts, and keep the last chunk."""
        said = _texts(chunk)
        self.texts += said
        if not said and not self.texts:
            self.others = self.others or _has_others(chunk)
        self.model = chunk.model or self.model
        if chunk.done:
            self.last = chunk
        return False

    def reading(self, *, exhausted: bool) -> Reading:  # noqa: ARG002 - a stream without a last word was cut short
        """Say what is known."""
        answer = Answer(model=self.model, output_texts=self.texts or (KNOWN_EMPTY if self.model and not self.others else ()))
        if self.last is None:
            return answer, "partial"
        if reason := getattr(self.last, "done_reason", None):
            answer.finish_reasons = (reason,)
        _add_counts(answer, self.last)
        return answer, "complete"


def _deliver(exchange: Exchange, stream: Generator[Any, None, None]) -> Generator[Any, None, None]:
    """Give the caller a generator in the place of the SDK's: what it looks like is all that can be seen of it."""
    return _alike(_steps(stream, exchange, copy_context()), stream)


def _deliver_async(exchange: Exchange, stream: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    return _alike(_steps_async(stream, exchange, copy_context()), stream)


def _alike(ours: T, theirs: Any) -> T:
    for name in ("__name__", "__qualname__"):
        setattr(ours, name, getattr(theirs, name))
    return ours


def _steps(stream: Generator[Any, None, None], exchange: Exchange, context: Context) -> Generator[Any, None, None]:
    exchange.call = context.run(recorder.start, exchange.request)  # spent by whoever asked, not by whoever reads
    if exchange.call is None:
        yield from stream
    else:
        yield from follow(stream, Following(exchange, OllamaChunks()))


async def _steps_async(stream: AsyncGenerator[Any, None], exchange: Exchange, context: Context) -> AsyncGenerator[Any, None]:
    exchange.call = context.run(recorder.start, exchange.request)
    async with aclosing(stream):  # as closing the SDK's own generator would
        followed = stream if exchange.call is None else follow_async(stream, Following(exchange, OllamaChunks()))
        async with aclosing(followed):
            async for chunk in followed:
                yield chunk


PROVIDER: Final = Provider(
    name="ollama",
    package="ollama",
    hooks=(
        Hook("ollama._client", "Client._request", opens=partial(_open_request, is_async=False)),
        Hook("ollama._client", "AsyncClient._request", opens=partial(_open_request, is_async=True), is_async=True),
    ),
    clashes=("opentelemetry-instrumentation-ollama", "openlit"),
    probe=probe_ollama,
)

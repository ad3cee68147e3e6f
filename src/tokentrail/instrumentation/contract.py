"""The contract of an integration, on one screen. Built-ins and third parties come through the same door: the `tokentrail.integrations` entry points.

An integration is a package that is patched: data plus small functions. Its module imports nothing of the SDK: the hooks name modules, and are
applied when the application imports these. An entry point `name = "package.module:INTEGRATION"` gives an `Integration`:

    INTEGRATION = Integration(name="acme", package="acme-sdk", hooks=(Hook("acme.client", "Client.ask", opens=open_ask),), supports=">=1.2,<3")

    def open_ask(client, args, kwargs):                        # before the call, with what the SDK's function was given; None: no call to record
        request = Request(provider="acme", endpoint="chat", gen_ai_operation="chat", model=kwargs["model"], texts=[kwargs["question"]])
        return Exchange(request=request, args=args, kwargs=kwargs, read=read_ask)

    def read_ask(result):                                      # after it, with what the SDK's function returned; None: nothing was spent
        return Answer(model=result.model, input_tokens=result.tokens_in, output_tokens=result.tokens_out), "complete"

What a function of an integration raises is counted and logged, and never reaches the caller; the call is then recorded without counts.
Rules for what it reads: `None` is "not stated" and never 0; totals hold their subsets (cached inside input, reasoning inside output); texts are
the natural-language texts in order, without tool definitions and schemas; nothing of them is kept after the call was recorded.

This module imports nothing of tokentrail, so that an integration depends on neither journal nor spans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Answer", "Call", "Chunks", "Endpoint", "Exchange", "Hook", "Integration", "Reading", "Request"]


@dataclass(slots=True)
class Request:
    """What is known before the call. `texts` are the prompt's texts in order; they are hashed and measured, and leave the process nowhere."""

    provider: str  # who answers, not whose SDK is used
    endpoint: str  # chat, responses, messages, completions, embeddings, generate, …
    gen_ai_operation: str  # the conventions' word: chat, text_completion, embeddings, generate_content
    token_type: str = "llm"  # noqa: S105 - a kind of token
    operation: str = "chat"  # the operation where no decorator names one
    model: str = ""
    stream: bool = False
    server_address: str = ""
    server_port: int = 0
    texts: Sequence[str] = ()
    sends: bool = False  # the SDK's function sends the request itself, and is not built upon another SDK


@dataclass(slots=True)
class Answer:
    """What the provider stated. `None` is "not stated", never 0. Totals hold their subsets (see `tokentrail.usage.Usage`)."""

    model: str = ""
    response_id: str = ""
    finish_reasons: Sequence[str] = ()
    # every count (fields), written by `make docs`
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    image_input_tokens: int | None = None
    image_output_tokens: int | None = None
    consumed_input_tokens: int | None = None
    consumed_output_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    # every count, end
    output_texts: Sequence[str] = ()  # measured, counted where none is stated, then let go; none: not known to be text, (""): known to be empty
    attempts: int = 1
    object_id: str = ""  # a provider's job (batch, background response): its id and …
    object_created: int = 0  # … its creation, unix seconds, make the key


Reading = tuple[Answer, str]
"""What was answered, and how the answer ended: `complete`, `partial` or `error`."""


class Chunks(Protocol):
    """What is gathered from a stream while the caller reads it. `absorb` is on the caller's path, once a chunk: keep it to plain attribute reads."""

    def absorb(self, chunk: Any) -> bool:
        """Take what counts from a chunk. True: the caller did not ask for this chunk, and does not get it."""

    def reading(self, *, exhausted: bool) -> Reading | None:
        """What is known by now; `exhausted` if the stream came to its end by itself. None: nothing was spent."""


class Call(Protocol):
    """A call under way, as the recorder keeps it (`tokentrail.recording.recorder.Call`). `finish` or `finish_later` counts the call exactly once."""

    def enter(self) -> None:
        """The SDK's function begins."""

    def leave(self) -> None:
        """The SDK's function has returned or raised."""

    def first_chunk(self) -> None:
        """A stream begins to answer."""

    def finish(self, answer: Answer, ended: str = "complete", error: BaseException | None = None) -> None:
        """Record the call."""

    def finish_later(self, answer: Answer, ended: str = "partial") -> None:
        """Record the call from a finalizer or a signal handler."""


@dataclass(slots=True)
class Exchange:
    """One call of an SDK's function: what it is given, and how to read what comes back.

    `deferred`: whether there is something to record shows only in the answer (polling a job), so nothing is started before.
    `deliver` takes over where an answer is not simply there when the function returns (streams, raw responses): it gets this exchange and the
    function's result, and returns what the caller gets. `read_error` finds what an exception
    says of the usage: billed errors count.
    """

    request: Request
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    read: Callable[[Any], Reading | None]
    deliver: Callable[[Exchange, Any], Any] | None = None
    read_error: Callable[[Exchange, BaseException], Answer | None] | None = None
    deferred: bool = False
    attempts: int = 1  # the SDK's own retries are one call
    billed: Any = None  # an answer that the SDK had, and may turn into an exception
    call: Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How one endpoint speaks, whatever transport carries it: its names, and the shape of its request, its answer and its stream."""

    name: str  # see `Request.endpoint`
    gen_ai_operation: str
    operation: str
    texts: Callable[[Mapping[str, Any]], Sequence[str]]
    read: Callable[[Any], Reading | None]
    token_type: str = "llm"  # noqa: S105 - a kind of token
    chunks: Callable[[Mapping[str, Any], bool], Chunks] | None = None
    """Made for a stream, from the request. True: `asks_for_usage` added to that request, and the caller is not to see what came of it."""
    asks_for_usage: Callable[[Any, Mapping[str, Any], Any], Mapping[str, Any] | None] | None = None
    """What a request for a stream has to say besides, so that the stream states its usage: from the client, the request and the server that answers
    (`tokentrail.providers.lookup.Server`). None: nothing."""
    read_error: Callable[[Exchange, BaseException], Answer | None] | None = None
    """In the place of the transport's own."""
    spends: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a request spends anything; without it, each does."""
    parses: bool = False  # the SDK parses what was answered further, which may raise after it was billed
    instead: tuple[str, Endpoint] | None = None  # a field of the request, and the endpoint that answers where that field is true
    deferred: bool = False  # see `Exchange.deferred`


@dataclass(frozen=True, slots=True)
class Hook:
    """A function to patch: `name` is its qualified name in `module`. Either `opens` a call, or `observes` one that is under way."""

    module: str
    name: str
    opens: Callable[[Any, tuple[Any, ...], dict[str, Any]], Exchange | None] | None = None
    observes: Callable[[Exchange], None] | None = None
    is_async: bool = False


@dataclass(frozen=True, slots=True)
class Integration:
    """A package that is patched: its name in `instrument([...])`, its distribution, its hooks, and the distributions that patch it too.

    `supports` says the versions that were tried, as in `>=1.50,<4`. `probe` makes calls with the SDK at a base URL, one in each way that it has
    (sync, async), and answers how many: `tokentrail doctor` tries it.
    """

    name: str
    package: str
    hooks: tuple[Hook, ...]
    clashes: tuple[str, ...] = ()
    probe: Callable[[str], int] | None = None
    supports: str = ""

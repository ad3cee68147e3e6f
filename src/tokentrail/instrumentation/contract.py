"""The contract of an integration, on one screen. All integrations, tokentrail's too, use the same entry points: `tokentrail.integrations`.

An integration is a package that is patched: data plus small functions. Its module imports nothing of the SDK: a hook names a module of the SDK and
is applied when the application imports that module. An entry point `name = "package.module:INTEGRATION"` gives an `Integration`:

    INTEGRATION = Integration(name="acme", package="acme-sdk", hooks=(Hook("acme.client", "Client.ask", opens=open_ask),), supports=">=1.2,<3")

    def open_ask(client, args, kwargs):                        # before the call, with the arguments of the SDK's function; None: no call to record
        request = Request(provider="acme", endpoint="chat", gen_ai_operation="chat", model=kwargs["model"], texts=[kwargs["question"]])
        return Exchange(request=request, args=args, kwargs=kwargs, read=read_ask)

    def read_ask(result):                                      # after the call, with the result of the SDK's function; None: nothing was spent
        return Answer(model=result.model, input_tokens=result.tokens_in, output_tokens=result.tokens_out), "complete"

An exception of an integration's function is counted and logged, and never reaches the caller; the call is then recorded without counts.
Rules for the values: `None` is "not stated" and never 0; totals include their subsets (cached inside input, reasoning inside output); texts are
the natural-language texts in order, without tool definitions and schemas; no text is kept after the call was recorded.

This module imports nothing of tokentrail, so that an integration depends on neither journal nor spans. What each call creates is a struct:
the `__init__` of a dataclass runs in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec import Struct

__all__ = ["Answer", "Call", "Chunks", "Endpoint", "Exchange", "Finding", "Hook", "Integration", "Reading", "Request"]


class Request(Struct):
    """The facts of a call before the answer. `texts` are the prompt's texts in order: hashed and measured, and never sent out of the process."""

    provider: str  # the provider that answers, which may not be the SDK's own
    endpoint: str  # chat, responses, messages, completions, embeddings, generate, …
    gen_ai_operation: str  # the conventions' word: chat, text_completion, embeddings, generate_content
    token_type: str = "llm"  # noqa: S105 - a kind of token
    operation: str = "chat"  # used where no decorator names an operation
    model: str = ""
    stream: bool = False
    server_address: str = ""
    server_port: int = 0
    texts: Sequence[str] = ()
    sends: bool = False  # the SDK's function sends the request itself, not through another SDK
    is_corrected: bool = False  # provider or server were replaced after the call's start, by what the answer proves


class Answer(Struct):
    """The counts and names that the provider stated. `None` is "not stated", never 0. Totals include their subsets (see `tokentrail.usage.Usage`)."""

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
    output_texts: Sequence[str] = ()  # measured, tokenized where no count is stated, then released; (): perhaps no text, (""): certainly empty
    attempts: int = 1
    object_id: str = ""  # id of a provider's job (batch, background response); makes the key together with …
    object_created: int = 0  # … the job's creation, unix seconds


Reading = tuple[Answer, str]
"""An answer, and how the answer ended: `complete`, `partial` or `error`; `created`: an object (`object_id`) was made, and spends tokens later."""


class Finding(Struct):
    """What an answer, or one line of an answer, tells of a provider's job (a batch, a fine-tuning): usages, the creation, where the results are.

    The usage of a result has the key of its `part`, any other usage that of the job: so each counts once, however often it is read, and where.
    """

    job: str  # the provider's id of the job; of a result, the id by which the results are read: the job's, or a file's
    created: int = 0  # creation of the job, or of the part, as every answer states it: unix seconds; 0: some answer does not state it
    part: str = ""  # a result's name in the job
    reading: Reading | None = None  # a usage: of the part if there is one, else of the whole job
    is_new: bool = False  # the answer is that of the call that created the job
    results: str = ""  # the id of the file with the results of a job that has ended
    calls: int = 1  # requests that the usage stands for
    token_type: str = ""  # "": the endpoint's


class Chunks(Protocol):
    """Collects the counts of a stream while the caller reads the stream. `absorb` runs for every chunk: keep to plain attribute reads."""

    def absorb(self, chunk: Any) -> bool:
        """Takes counts and texts from a chunk. True: the caller did not request this chunk, and does not get the chunk."""

    def reading(self, *, exhausted: bool) -> Reading | None:
        """Returns the answer so far; `exhausted`: the stream was read to the end. None: nothing was spent."""


class Call(Protocol):
    """A call of the recorder (`tokentrail.recording.recorder.Call`). `finish` or `finish_later` counts the call exactly once."""

    def enter(self) -> None:
        """Marks the start of the SDK's function."""

    def leave(self) -> None:
        """Marks the end of the SDK's function, by a result or an exception."""

    def first_chunk(self) -> None:
        """Marks the first chunk of a stream."""

    def finish(self, answer: Answer, ended: str = "complete", error: BaseException | None = None) -> None:
        """Records the call."""

    def finish_later(self, answer: Answer, ended: str = "partial") -> None:
        """Records the call from a finalizer or a signal handler."""


class Exchange(Struct):
    """One call of an SDK's function: the arguments, and the functions that read the answer.

    `deferred`: only the answer shows whether there is a usage (polling a job), so no call is started before the answer.
    `deliver` replaces `read` where the result is not a whole answer (streams, raw responses): `deliver(exchange, result)` returns the result for
    the caller. `read_error` reads the usage of an exception, because billed errors count.
    """

    request: Request
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    read: Callable[[Any], Reading | None]
    deliver: Callable[[Exchange, Any], Any] | None = None
    read_error: Callable[[Exchange, BaseException], Answer | None] | None = None
    deferred: bool = False
    attempts: int = 1  # the SDK's own retries are one call
    billed: Any = None  # an answer that the SDK has received, and may still turn into an exception
    call: Call | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint, over any transport: its names, and the shape of its request, its answer and its stream."""

    name: str  # see `Request.endpoint`
    gen_ai_operation: str
    operation: str
    texts: Callable[[Mapping[str, Any]], Sequence[str]]
    read: Callable[[Any], Reading | None]
    token_type: str = "llm"  # noqa: S105 - a kind of token
    chunks: Callable[[Mapping[str, Any], bool], Chunks] | None = None
    """Returns the `Chunks` of a stream, from the request. True: `asks_for_usage` changed the request; the extra chunk is hidden from the caller."""
    asks_for_usage: Callable[[Any, Mapping[str, Any], Any], Mapping[str, Any] | None] | None = None
    """Returns the fields that a request for a stream needs so that the stream states its usage, from the client, the request and the answering
    server (`tokentrail.providers.lookup.Server`). None: no field."""
    read_error: Callable[[Exchange, BaseException], Answer | None] | None = None
    """Replaces the transport's `read_error`."""
    spends: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a request spends tokens; without this function, every request does."""
    parses: bool = False  # the SDK parses the answer further, which may raise after the answer was billed
    instead: tuple[str, Endpoint] | None = None  # a field of the request, and the endpoint that answers where that field is true
    deferred: bool = False  # see `Exchange.deferred`
    by_attribute: bool = False  # `read` and `chunks` take JSON as objects with attributes (`shapes.json_objects.Body`); otherwise as dictionaries
    chosen: Callable[[str, Mapping[str, Any]], Endpoint] | None = None
    """Returns the endpoint of a model and a request, where answers under one name are of several kinds. For `Integration.answers`."""
    findings: Callable[[str, Any], Iterable[Finding]] | None = None
    """Replaces `read` where one answer may have many usages: from the id in the request's path ("" where the path has none), and the answer, or each
    of its lines."""

    def request(self, server: Any, body: Mapping[str, Any], model: str, stream: bool) -> Request:
        """Returns the facts of a call that an SDK sends to a server (`tokentrail.providers.lookup.Server`)."""
        return Request(
            provider=server.provider,
            endpoint=self.name,
            gen_ai_operation=self.gen_ai_operation,
            token_type=self.token_type,
            operation=self.operation,
            model=model,
            stream=stream,
            server_address=server.address,
            server_port=server.port,
            texts=self.texts(body),
            sends=True,
        )


@dataclass(frozen=True, slots=True)
class Hook:
    """A function to patch: `name` is the qualified name in `module`. Either `opens` a call, or `observes` the exchange under way, or `wraps`.

    `wraps` is a wrapper with wrapt's signature, `wraps(wrapped, instance, args, kwargs)`, for functions that are no calls of a provider. The wrapper
    is async where `is_async` says so, and raises nothing of its own.

    `optional`: some versions of the SDK have no such module, or no such function. `is_generator`: of a generator function that only the SDK itself
    calls, the wrapper may run with the first step; then the function's own code is replaced, which no other instrumentation takes along. The
    attribution of a generator that the application calls is that of the call, so a wrapper stands before it.
    """

    module: str
    name: str
    opens: Callable[[Any, tuple[Any, ...], dict[str, Any]], Exchange | None] | None = None
    observes: Callable[[Exchange], None] | None = None
    wraps: Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any] | None = None
    is_async: bool = False
    optional: bool = False
    is_generator: bool = False


@dataclass(frozen=True, slots=True)
class Integration:
    """A package that is patched: its name in `instrument([...])`, its distribution, its hooks, and the distributions that patch the same SDK.

    `supports` is the range of tested versions, as in `>=1.50,<4`. `probe` calls the SDK at a base URL, once by each kind of client (sync, async),
    and returns the number of calls; `tokentrail doctor` runs the probe. `answers` has, by provider, the endpoints whose answers are read without the
    SDK too (`tokentrail.track_response`); the provider `*` is any provider whose servers speak the same API. An endpoint with `findings` there reads
    results of a batch, whose id is `track_response`'s argument `job`.
    """

    name: str
    package: str
    hooks: tuple[Hook, ...]
    clashes: tuple[str, ...] = ()
    probe: Callable[[str], int] | None = None
    supports: str = ""
    answers: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)

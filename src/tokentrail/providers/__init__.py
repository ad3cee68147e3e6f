"""The contract of a provider, on one screen. Built-ins and third parties come through the same door: the `tokentrail.providers` entry points.

A provider is data plus small functions. Its module imports nothing of the SDK: the hooks name modules, and are put on when the application
imports them. An entry point `name = "package.module:PROVIDER"` gives a `Provider`:

    PROVIDER = Provider(name="acme", package="acme-sdk", hooks=(Hook("acme.client", "Client.ask", opens=open_ask),))

    def open_ask(client, args, kwargs):                        # before the call, with what the SDK's function was given; None: not ours
        request = Request(provider="acme", endpoint="chat", gen_ai_operation="chat", model=kwargs["model"], texts=[kwargs["question"]])
        return Exchange(request=request, args=args, kwargs=kwargs, read=read_ask)

    def read_ask(result):                                      # after it, with what the SDK's function returned; None: nothing was spent
        return Answer(model=result.model, input_tokens=result.tokens_in, output_tokens=result.tokens_out), "complete"

What a function of a provider raises is counted and logged, and never reaches the caller; the call is then recorded without counts.
Rules for what it reads: `None` is "not stated" and never 0; totals hold their subsets (cached inside input, reasoning inside output); texts are
the natural-language texts in order, without tool definitions and schemas; nothing of them is kept after the call was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from tokentrail.call import Answer, Request
from tokentrail.recording.recorder import Call

__all__ = ["Chunks", "Exchange", "Hook", "Provider", "Reading", "under_way"]

Reading = tuple[Answer, str]
"""What was answered, and how it ended: `complete`, `partial` or `error`."""


class Chunks(Protocol):
    """What is gathered from a stream while the caller reads it. `absorb` is on the caller's path, once a chunk: keep it to plain attribute reads."""

    def absorb(self, chunk: Any) -> bool:
        """Take what counts from a chunk. True: the caller did not ask for this chunk, and does not get it."""

    def reading(self, *, exhausted: bool) -> Reading | None:
        """What is known by now; `exhausted` if the stream came to its end by itself. None: nothing was spent."""


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


@dataclass(frozen=True, slots=True)
class Hook:
    """A function to patch: `name` is its qualified name in `module`. Either `opens` a call, or `observes` one that is under way."""

    module: str
    name: str
    opens: Callable[[Any, tuple[Any, ...], dict[str, Any]], Exchange | None] | None = None
    observes: Callable[[Exchange], None] | None = None
    is_async: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """An SDK: its name in `instrument([...])`, its distribution, its hooks, and the distributions that patch it too.

    `probe` makes calls with the SDK at a base URL, one in each way that it has (sync, async), and answers how many: `tokentrail doctor` tries it.
    """

    name: str
    package: str
    hooks: tuple[Hook, ...]
    clashes: tuple[str, ...] = field(default=())
    probe: Callable[[str], int] | None = None


under_way: ContextVar[Exchange | None] = ContextVar("tokentrail_exchange", default=None)
"""The exchange whose SDK function is running."""

"""Chooses which of two nested calls is counted: only leaves count. The inner call starts while the SDK's function of the outer call runs.

| inner call | recorded |
|---|---|
| has the same response id as the outer call | the inner call |
| is a part of the outer call, whose function only calls other SDKs | the inner call |
| is a part of the outer call, with the same counts and model, and one of the calls has no id; or the outer call states nothing | the inner call |
| is anything else: the call of a guard, a judge, a cache, a signal handler, a finalizer, an event hook | both |

The inner call is always recorded. A part is a call that a transport of the outer call's client, or the outer function itself, starts on the stack of
the outer call. A function that sends its request itself (`Request.sends`) gets its answer from the network, also where an inner call was started.
"""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import CO_VARARGS
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokentrail.instrumentation.contract import Answer, Request
    from tokentrail.recording.recorder import Call

__all__ = ["Inner", "Probe", "inside", "is_answer_of_inner", "is_part", "new_inner", "probing"]

HOOKS: Final = "tokentrail.instrumentation.around"
HTTP: Final = frozenset({"httpx", "httpx2"})
CALLBACKS: Final = (
    "aiohttp.tracing",
    "botocore.hooks",
    "httpcore",
    "logging",
    "opentelemetry.sdk",
    "requests.hooks",
    "urllib3",
    "warnings",
    "weakref",
)
"""Modules that run callbacks of the application: a call of such a callback does not answer the outer call."""
HTTP_CALLBACKS: Final = frozenset({"_send_handling_redirects", "_send_handling_auth"})
"""The functions of an HTTP client that run event hooks and authentication; transports are run by other functions."""

Outcome = tuple[str, str, int | None, int | None, str]
"""How a call ended, the response id, the tokens in and out, and the model of the answer."""
Inner = deque[tuple["Call", bool]]
"""The last inner calls of a call, each with a flag: certainly a part of the outer call."""


def new_inner() -> Inner:
    """Returns an empty, bounded list of inner calls; a task that outlives a long stream may start any number of calls."""
    return deque(maxlen=64)


class Probe:
    """Replaces the outer call: collects the requests that reach the recorder, and records none of them."""

    __slots__ = ("reached",)

    def __init__(self) -> None:
        self.reached: list[Request] = []


inside: ContextVar[Call | Probe | None] = ContextVar("tokentrail_inside", default=None)
"""The call whose SDK function is running."""


@contextmanager
def probing() -> Iterator[list[Request]]:
    """Collects the requests that reach the recorder in this context, without recording: no usage, no span, no metric."""
    probe = Probe()
    token = inside.set(probe)
    try:
        yield probe.reached
    finally:
        inside.reset(token)


def is_part(outer: Call, frame: FrameType | None) -> bool | None:
    """Whether a call that starts at this frame is a part of the outer call; None if the outer call's function is not on this stack."""
    verdict: bool | None = None
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module == HOOKS and frame.f_code.co_name == "wrapper" and frame.f_locals.get("call") is outer:
            return verdict is not False
        if verdict is None:
            verdict = _verdict_of(frame, module if isinstance(module, str) else "")
        frame = frame.f_back
    return None


def _verdict_of(frame: FrameType, module: str) -> bool | None:
    """Whether calls below this frame are parts of the outer call; None if this frame decides nothing."""
    if any(module == name or module.startswith(f"{name}.") for name in CALLBACKS) or _is_interrupt(frame):
        return False
    package, _, name = module.partition(".")
    if package not in HTTP:
        return None
    return not (name in {"_auth", "_transports.default"} or frame.f_code.co_name in HTTP_CALLBACKS)


def _is_interrupt(frame: FrameType) -> bool:
    """Whether the interpreter called this function amid its caller's code: a signal handler, a finalizer, a callback of a weak reference or gc."""
    code = frame.f_code
    if code.co_name == "__del__":
        return True
    caller = frame.f_back
    if caller is None or not (code.co_argcount or code.co_flags & CO_VARARGS):
        return False
    local = frame.f_locals
    given = [local.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & CO_VARARGS:
        given += local.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount]) or ()
    if any(value is caller for value in given):
        return True  # only a signal handler gets the interrupted frame, which is its caller's, as an argument
    if any(type(value) is weakref.ref and value() is None for value in given):
        return True
    return any(getattr(callback, "__code__", None) is code for callback in gc.callbacks)


def is_answer_of_inner(inner: Inner, answer: Answer, *, sends: bool) -> bool:
    """Whether the answer of a call came from an inner call. `sends`: the outer call's function sends its request itself."""
    return any(_is_answer_of(call.outcome, answer, is_part, sends) for call, is_part in inner)


def _is_answer_of(outcome: Outcome | None, answer: Answer, is_part: bool, sends: bool) -> bool:
    is_only_part = is_part and (not sends or (not answer.response_id and answer.input_tokens is None and answer.output_tokens is None))
    if outcome is None:  # the inner call is a stream that is still open
        return is_only_part
    ended, response_id, tokens_in, tokens_out, model = outcome
    if ended == "error":
        return False
    if response_id and response_id == answer.response_id:
        return True
    if is_only_part:
        return True
    same_counts = tokens_in is not None and tokens_in == answer.input_tokens and tokens_out == answer.output_tokens
    return is_part and same_counts and not (response_id and answer.response_id) and (not model or not answer.model or model == answer.model)

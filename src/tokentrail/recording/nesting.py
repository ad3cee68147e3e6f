"""Only leaves count: which of two calls under way, one begun while the other one runs, is the one that was spent.

| begun while an SDK's function (the outer call) runs | recorded |
|---|---|
| the outer call is answered what the inner one was: the same response id | the inner call |
| a part of the outer call, whose function only asks other SDKs | the inner call |
| a part of the outer call, with its counts and model, where one of them has no id; or the outer call states nothing | the inner call |
| anything else: a guard's, a judge's, a cache's, a signal handler's, a finalizer's, an event hook's own call | both |

The inner call is always a call of its own. A part is what a transport of the outer call's client, or the outer function itself, began on its
stack. A function that sends its request itself (`Request.sends`) may be answered by the network whatever was begun inside it.
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
    from tokentrail.call import Answer, Request
    from tokentrail.recording.recorder import Call

__all__ = ["Inner", "Probe", "inside", "is_part", "no_inner", "probing", "spent_inside"]

HOOKS: Final = "tokentrail.instrumentation.calls"
HTTP: Final = frozenset({"httpx", "httpx2"})
ASIDE: Final = ("aiohttp.tracing", "botocore.hooks", "httpcore", "logging", "opentelemetry.sdk", "requests.hooks", "urllib3", "warnings", "weakref")
"""Modules that call what an application has hung into them: what such a callback asks is not what the outer call answers."""
ASIDE_IN_HTTP: Final = frozenset({"_send_handling_redirects", "_send_handling_auth"})
"""The functions of an HTTP client that call event hooks and authentication; a transport is called by others."""

Said = tuple[str, str, int | None, int | None, str]
"""How a call ended, its answer's id, its tokens in and out, and the model that answered."""
Inner = deque[tuple["Call", bool]]
"""The last calls that began inside a call, and whether each is a part of it for certain."""


def no_inner() -> Inner:
    """Make room for calls inside a call; a task that outlives a long stream may begin any number of them."""
    return deque(maxlen=64)


class Probe:
    """In the place of a call under way: what reaches the recorder inside is noted here, and nowhere else."""

    __slots__ = ("reached",)

    def __init__(self) -> None:
        self.reached: list[Request] = []


inside: ContextVar[Call | Probe | None] = ContextVar("tokentrail_inside", default=None)
"""The call whose SDK function is running."""


@contextmanager
def probing() -> Iterator[list[Request]]:
    """Note the requests that reach the recorder in this context, in the place of recording them: no usage, no span, no metric."""
    probe = Probe()
    token = inside.set(probe)
    try:
        yield probe.reached
    finally:
        inside.reset(token)


def is_part(outer: Call, frame: FrameType | None) -> bool | None:
    """Whether what begins at this frame is a part of the outer call; None where the outer call's function is not on this stack."""
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
    """What this frame says of the ones that it has called: None is nothing."""
    if any(module == name or module.startswith(f"{name}.") for name in ASIDE) or _breaks_in(frame):
        return False
    package, _, name = module.partition(".")
    if package not in HTTP:
        return None
    return not (name in {"_auth", "_transports.default"} or frame.f_code.co_name in ASIDE_IN_HTTP)


def _breaks_in(frame: FrameType) -> bool:
    """Whether the interpreter called this function amid its caller: a signal handler, a finalizer, a callback of a weak reference or of gc."""
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
        return True  # a signal handler is given the frame that it interrupts, and no function knows its caller's otherwise
    if any(type(value) is weakref.ref and value() is None for value in given):
        return True
    return any(getattr(callback, "__code__", None) is code for callback in gc.callbacks)


def spent_inside(inner: Inner, answer: Answer, *, sends: bool) -> bool:
    """Whether what a call was answered is what a call inside it was answered. `sends`: the outer call's function sends its request itself."""
    return any(_is_answer_of(call.said, answer, is_part, sends) for call, is_part in inner)


def _is_answer_of(said: Said | None, answer: Answer, is_part: bool, sends: bool) -> bool:
    is_only_part = is_part and (not sends or (not answer.response_id and answer.input_tokens is None and answer.output_tokens is None))
    if said is None:  # the inner call is a stream that is still open
        return is_only_part
    ended, response_id, tokens_in, tokens_out, model = said
    if ended == "error":
        return False
    if response_id and response_id == answer.response_id:
        return True
    if is_only_part:
        return True
    same_counts = tokens_in is not None and tokens_in == answer.input_tokens and tokens_out == answer.output_tokens
    return is_part and same_counts and not (response_id and answer.response_id) and (not model or not answer.model or model == answer.model)

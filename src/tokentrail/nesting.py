"""Only leaves count: which of two calls under way, one begun while the other one runs, is the one that was spent.

| begun while an SDK's function (the outer call) runs | the outer call's answer comes from it | recorded |
|---|---|---|
| in a transport of its client, or by the function itself | yes | the inner call |
| in a signal handler, a finalizer, an event hook, a log handler | no | both |
| in another task or thread that has inherited the context | yes, if it says the same | the inner call, or both |

The inner call is always a call of its own. The outer one is left out if an inner call that is a part of it was answered, or still is open.
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
    from tokentrail.recorder import Call

__all__ = ["Inner", "Probe", "inside", "is_part", "no_inner", "probing", "spent_inside"]

HOOKS: Final = "tokentrail.instrumentation.calls"
HTTP: Final = frozenset({"httpx", "httpx2"})
ASIDE: Final = ("aiohttp.tracing", "botocore.hooks", "httpcore", "logging", "opentelemetry.sdk", "requests.hooks", "urllib3", "warnings", "weakref")
"""Modules that call what an application has hung into them: what such a callback asks is not what the outer call answers."""
ASIDE_IN_HTTP: Final = frozenset({"_send_handling_redirects", "_send_handling_auth"})
"""The functions of an HTTP client that call event hooks and authentication; a transport is called by others."""

Said = tuple[str, str, int | None, int | None]
"""How a call ended, its answer's id, and its tokens in and out."""
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
    if module.startswith(ASIDE) or _breaks_in(frame):
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


def spent_inside(inner: Inner, answer: Answer) -> bool:
    """Whether what a call was answered is what calls inside it were answered."""
    for call, certain in inner:
        said = call.said
        if (said is None and certain) or (said is not None and said[0] != "error" and (certain or _same(said, answer))):
            return True
    return False


def _same(said: Said, answer: Answer) -> bool:
    """Whether two answers are one: by their id, and by their counts where one of them has no id."""
    _, response_id, tokens_in, tokens_out = said
    if response_id and answer.response_id:
        return bool(response_id == answer.response_id)
    return tokens_in is not None and tokens_in == answer.input_tokens and tokens_out == answer.output_tokens

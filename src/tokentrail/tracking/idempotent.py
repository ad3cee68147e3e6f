"""`idempotent`: a repeated request gets the answer of the first one, and no provider is paid again."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, Final, TypeAlias, TypeVar

from tokentrail.attribution import attribution
from tokentrail.frames import passed_over
from tokentrail.idempotency import content_hash, shorten
from tokentrail.process.mutexes import Mutex
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.values import Argument

__all__ = ["IdempotencyKeyReused", "idempotent"]

F = TypeVar("F", bound=Callable[..., Any])
Ask = Callable[..., Any]
_DAY: Final = 86_400.0
_AGAIN: Final = object()
"""In the place of an answer whose call was interrupted: those that wait begin anew."""
_STREAMS: Final = ("__next__", "__anext__", "body_iterator")
"""Attributes of what can be read once only; the last one is that of starlette's streaming responses."""
_Within: TypeAlias = frozenset[tuple[int, tuple[str, str]]]
_under_way: ContextVar[_Within] = ContextVar("tokentrail_idempotent", default=frozenset())
"""The calls of which the running code is a part: within one, an equal call cannot wait for itself."""


class IdempotencyKeyReused(ValueError):  # noqa: N818 - the name says what has happened, as `BudgetExceeded`
    """A key came with another content than the first time: a mistake of the caller's. Services answer 422 (IETF draft, Idempotency-Key header)."""


class _Answer:
    """The answer of one key: under way, or there."""

    __slots__ = ("content", "ends", "future", "made")

    def __init__(self, content: str) -> None:
        self.content = content
        self.ends = math.inf  # while under way
        self.future: Future[Any] = Future()
        self.made: Any = _AGAIN
        """What the call returned, for the caller that made it: a stream is this caller's alone."""


class _Idempotent:
    """The answers of one decorated function."""

    def __init__(self, key: Ask, tenant_id: Ask | None, content: Ask | None, lifetime: float, most: int) -> None:
        self._key, self._tenant_id, self._content, self._lifetime, self._most = key, tenant_id, content, lifetime, most
        self._answers: OrderedDict[tuple[str, str], _Answer] = OrderedDict()
        self._mutex = Mutex()
        self._process = os.getpid()

    def identity(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[str, str] | None, str]:
        """Returns tenant and key of a call, and the hash of its content; no key where the caller gave none, or a callable failed."""
        try:
            key = self._key(*args, **keywords)
            if not key:
                return None, ""
            block = attribution.get()
            tenant_id = self._tenant_id(*args, **keywords) if self._tenant_id is not None else block.tenant_id if block is not None else ""
            content = content_hash(str(self._content(*args, **keywords))) if self._content is not None else ""
            return (str(tenant_id or ""), shorten(str(key))), content
        except Exception as error:
            internal_error("idempotent: the callable for a key", error)
            return None, ""

    def begin(self, identity: tuple[str, str], content: str) -> tuple[_Answer, bool]:
        """Returns the answer of a key, and whether the caller is to make it. Raises `IdempotencyKeyReused`."""
        now = time.monotonic()
        with self._mutex.lock:
            self._forget_parent()
            known = self._answers.get(identity)
            if known is not None and known.ends > now:
                if known.content != content:
                    raise IdempotencyKeyReused(f"the idempotency key {identity[1]!r} came with another content before")
                return known, False
            made = self._answers[identity] = _Answer(content)
            self._answers.move_to_end(identity)
            self._forget(now)
            return made, True

    def _forget(self, now: float) -> None:
        """Drops answers that are too old, and the oldest of too many. Those under way stay: somebody waits."""
        gone: list[tuple[str, str]] = []
        for identity, answer in self._answers.items():
            if answer.ends > now and len(self._answers) - len(gone) <= self._most:
                break
            if answer.ends != math.inf:
                gone.append(identity)
        for identity in gone:
            del self._answers[identity]

    def _forget_parent(self) -> None:
        """Drops in a forked child what is under way in the parent: nobody would ever finish it here."""
        if self._process != os.getpid():
            self._process = os.getpid()
            for identity, answer in list(self._answers.items()):
                if answer.ends == math.inf:
                    del self._answers[identity]

    def keep(self, identity: tuple[str, str], answer: _Answer, value: Any) -> None:
        """Keeps an answer that is there, and gives it to all who wait. A stream cannot be read twice: the others make calls of their own."""
        answer.made = value
        if any(hasattr(value, name) for name in _STREAMS):
            self.drop(identity, answer, GeneratorExit())
            return
        with self._mutex.lock:
            answer.ends = time.monotonic() + self._lifetime
        answer.future.set_result(value)

    def drop(self, identity: tuple[str, str], answer: _Answer, error: BaseException) -> None:
        """Gives a failure to all who wait, and keeps nothing: the next request tries again. An interruption is the interrupted caller's alone."""
        with self._mutex.lock:
            if self._answers.get(identity) is answer:
                del self._answers[identity]
        if isinstance(error, Exception):
            answer.future.set_exception(error)
        else:
            answer.future.set_result(_AGAIN)

    def within(self, identity: tuple[str, str]) -> _Within | None:
        """Returns the calls of which a new one is a part, itself among them; None if that call is under way here already."""
        outer, own = _under_way.get(), (id(self), identity)
        return None if own in outer else outer | {own}


def idempotent(
    *,
    key: Callable[..., str | None],
    tenant_id: Callable[..., str | None] | None = None,
    content: Callable[..., Any] | None = None,
    lifetime: float = _DAY,
    most: int = 10_000,
) -> Callable[[F], F]:
    """Answers a repeated call of a function with what the first one returned.

        @idempotent(key=argument("idempotency_key"), content=argument("question"))
        async def answer(question: str, idempotency_key: str | None = None) -> str: ...

    `key` and the others are callables of the function's arguments, or `argument`. A call without a key runs as usual. Keys of different tenants are
    different: `tenant_id`, else the tenant of the block or the request around the call. Calls that come while the first is under way wait for it; an
    asynchronous one runs to its end even if its caller hangs up, for it is paid, and the caller will ask again. An exception is raised to all who
    wait, and not kept. With `content` a key that comes with another content raises `IdempotencyKeyReused`.

    Answers are kept in this process, for `lifetime` seconds, `most` of them at a time; the same object is returned to each. Functions and coroutine
    functions only: a stream is collected first. Raises `TypeError` or `ValueError` for anything else, and for wrong numbers.
    """
    for name, given in (("key", key), ("tenant_id", tenant_id), ("content", content)):
        if not callable(given) and (given is not None or name == "key"):
            raise TypeError(f"idempotent: {name} is a function of the arguments, or argument(…), not {given!r}")
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or not lifetime > 0:
        raise ValueError(f"idempotent: lifetime is {lifetime!r}: seconds above 0")
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ValueError(f"idempotent: most is {most!r}: a whole number, from 1")

    def decorate(function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function) or isinstance(function, type) or not callable(function):
            raise TypeError("idempotent decorates functions and coroutine functions; collect a stream before it is kept")
        asks = [_of(given, function) for given in (key, tenant_id, content)]
        answers = _Idempotent(asks[0], asks[1], asks[2], float(lifetime), most)
        make = _of_coroutine if inspect.iscoroutinefunction(function) else _of_function
        return functools.wraps(function)(make(function, answers))  # type: ignore[return-value]

    return decorate


def _of(given: Any, function: Any) -> Any:
    return given.of(function) if isinstance(given, Argument) else given


@passed_over
def _of_function(run: Any, answers: _Idempotent) -> Callable[..., Any]:
    def wrapper(*args: Any, **keywords: Any) -> Any:
        identity, content = answers.identity(args, keywords)
        within = None if identity is None else answers.within(identity)
        if identity is None or within is None:
            return run(*args, **keywords)
        while True:
            answer, mine = answers.begin(identity, content)
            if mine:
                token = _under_way.set(within)
                try:
                    value = run(*args, **keywords)
                except BaseException as error:
                    answers.drop(identity, answer, error)
                    raise
                finally:
                    _under_way.reset(token)
                answers.keep(identity, answer, value)
                return value
            found = answer.future.result()
            if found is not _AGAIN:
                return found

    return wrapper


class _Calls:
    """The calls under way of a coroutine function, each in a task of its own."""

    def __init__(self, run: Any, answers: _Idempotent) -> None:
        self._run, self._answers = run, answers
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio keeps weak references only

    def start(self, identity: tuple[str, str], answer: _Answer, within: _Within, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """Begins the call of an answer."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not answer.future.done():  # cancelled before its first step
                self._answers.drop(identity, answer, asyncio.CancelledError())

        token = _under_way.set(within)  # the task copies the context
        try:
            task = asyncio.ensure_future(self._make(identity, answer, args, keywords))
        finally:
            _under_way.reset(token)
        self._tasks.add(task)
        task.add_done_callback(ended)

    async def _make(self, identity: tuple[str, str], answer: _Answer, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        try:
            value = await self._run(*args, **keywords)
        except BaseException as error:
            self._answers.drop(identity, answer, error)
            if not isinstance(error, (Exception, asyncio.CancelledError)):
                raise
        else:
            self._answers.keep(identity, answer, value)


@passed_over
def _of_coroutine(run: Any, answers: _Idempotent) -> Callable[..., Any]:
    calls = _Calls(run, answers)

    async def wrapper(*args: Any, **keywords: Any) -> Any:
        identity, content = answers.identity(args, keywords)
        within = None if identity is None else answers.within(identity)
        if identity is None or within is None:
            return await run(*args, **keywords)
        while True:
            answer, mine = answers.begin(identity, content)
            if mine:
                calls.start(identity, answer, within, args, keywords)
            waited_for = asyncio.wrap_future(answer.future)
            waited_for.add_done_callback(_retrieve)
            found = await asyncio.shield(waited_for)
            if found is not _AGAIN:
                return found
            if mine and answer.made is _AGAIN:
                raise asyncio.CancelledError
            if mine:
                return answer.made

    return wrapper


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Reads a failure whose callers may all have hung up: asyncio would log that nobody did."""
    if not future.cancelled():
        future.exception()

"""`idempotent`: a repeated request gets the answer of the first one, and no provider is paid again."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from tokentrail.attribution import attribution
from tokentrail.callables import is_coroutine_function
from tokentrail.frames import passed_over
from tokentrail.idempotency import content_hash, shorten
from tokentrail.process.mutexes import Mutex
from tokentrail.recording.runtime import internal_error
from tokentrail.tracking.answers import is_read_once, own_copy
from tokentrail.tracking.values import Argument, refuse_coroutines

__all__ = ["IdempotencyKeyReused", "idempotent"]

F = TypeVar("F", bound=Callable[..., Any])
Ask = Callable[..., Any]
_DAY: Final = 86_400.0


class IdempotencyKeyReused(ValueError):  # noqa: N818 - the name says what has happened, as `BudgetExceeded`
    """A key came with another content than the first time: a mistake of the caller's. Services answer 422 (IETF draft, Idempotency-Key header)."""


class _NoAnswer(Exception):  # noqa: N818 - what has happened
    """There is no answer for those who wait. `again`: its maker was ended from outside, and one of them makes it; else each makes one of its own."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        self.again = again


class _Answer:
    """The answer of one key: under way, or there."""

    __slots__ = ("content", "ends", "future", "loop", "waits_for")

    def __init__(self, content: str) -> None:
        self.content = content
        self.ends = math.inf  # while under way
        self.future: Future[Any] = Future()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.waits_for: list[_Answer] = []

    def leads_to(self, others: tuple[_Answer, ...]) -> bool:
        """Whether this answer is one of the others, or waits for one."""
        return self in others or any(each.leads_to(others) for each in self.waits_for)


_made: ContextVar[tuple[_Answer, ...]] = ContextVar("tokentrail_answers_being_made", default=())
"""The answers that the code in this context is making."""
_waiting = Mutex()
"""One lock for all `waits_for`, which never make a circle."""


@contextmanager
def _waits(answer: _Answer) -> Iterator[bool]:
    """States that the code in this context waits for an answer. False where the answer itself waits for what this code makes."""
    mine = _made.get()
    with _waiting.lock:
        may = answer.future.done() or not answer.leads_to(mine)
        if may:
            for each in mine:
                each.waits_for.append(answer)
    try:
        yield may
    finally:
        with _waiting.lock:
            for each in mine if may else ():
                each.waits_for.remove(answer)


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
            if known is not None and known.ends == math.inf and known.loop is not None and known.loop.is_closed():
                known = None  # its loop was closed under way
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
        """Keeps an answer that is there, and gives it to all who wait; not what can be read only once."""
        if is_read_once(value):
            self._drop(identity, answer, _NoAnswer(again=False))
            return
        with self._mutex.lock:
            answer.ends = time.monotonic() + self._lifetime
        answer.future.set_result(own_copy(value))

    def drop(self, identity: tuple[str, str], answer: _Answer, error: BaseException) -> None:
        """Gives a failure to all who wait, and keeps nothing: the next request tries again. An end from outside is the maker's alone.

        An answer that is there already stays: an interrupt may come behind it.
        """
        if not answer.future.done():
            self._drop(identity, answer, error if isinstance(error, Exception) else _NoAnswer(again=True))

    def _drop(self, identity: tuple[str, str], answer: _Answer, error: Exception) -> None:
        with self._mutex.lock:
            if self._answers.get(identity) is answer:
                del self._answers[identity]
        answer.future.set_exception(error)


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
        refuse_coroutines(f"idempotent: {name}", given)
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)) or not lifetime > 0:
        raise ValueError(f"idempotent: lifetime is {lifetime!r}: seconds above 0")
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise ValueError(f"idempotent: most is {most!r}: a whole number, from 1")

    def decorate(function: F) -> F:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(decorate(function.__func__))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function) or isinstance(function, type) or not callable(function):
            raise TypeError("idempotent decorates functions and coroutine functions; collect a stream before it is kept")
        asks = [_of(given, function) for given in (key, tenant_id, content)]
        answers = _Idempotent(asks[0], asks[1], asks[2], float(lifetime), most)
        make = _of_coroutine if is_coroutine_function(function) else _of_function
        return functools.wraps(function)(make(function, answers))  # type: ignore[return-value]

    return decorate


def _of(given: Any, function: Any) -> Any:
    return given.of(function) if isinstance(given, Argument) else given


@passed_over
def _of_function(run: Any, answers: _Idempotent) -> Callable[..., Any]:
    def wrapper(*args: Any, **keywords: Any) -> Any:
        identity, content = answers.identity(args, keywords)
        if identity is None:
            return run(*args, **keywords)
        while True:
            answer, mine = answers.begin(identity, content)
            if mine:
                token = _made.set((*_made.get(), answer))
                try:
                    value = run(*args, **keywords)
                    answers.keep(identity, answer, value)
                except BaseException as error:
                    answers.drop(identity, answer, error)
                    raise
                finally:
                    _made.reset(token)
                return value
            try:
                with _waits(answer) as may:
                    if may:
                        return own_copy(answer.future.result())
            except _NoAnswer as end:
                if end.again:
                    continue
            return run(*args, **keywords)

    return wrapper


@passed_over
def _of_coroutine(run: Any, answers: _Idempotent) -> Callable[..., Any]:
    under_way: set[asyncio.Task[Any]] = set()  # asyncio keeps weak references only

    async def make(identity: tuple[str, str], answer: _Answer, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        _made.set((*_made.get(), answer))  # of this task's own context
        try:
            value = await run(*args, **keywords)
            answers.keep(identity, answer, value)
        except BaseException as error:
            answers.drop(identity, answer, error)
            raise
        return value

    async def wrapper(*args: Any, **keywords: Any) -> Any:
        identity, content = answers.identity(args, keywords)
        if identity is None:
            return await run(*args, **keywords)
        while True:
            answer, mine = answers.begin(identity, content)
            if mine:
                answer.loop = asyncio.get_running_loop()
                task = asyncio.ensure_future(make(identity, answer, args, keywords))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                task.add_done_callback(_retrieve)
                task.add_done_callback(functools.partial(_ended, answers, identity, answer))
                return await asyncio.shield(task)
            try:
                with _waits(answer) as may:
                    if may:
                        waited_for = asyncio.wrap_future(answer.future)
                        waited_for.add_done_callback(_retrieve)
                        return own_copy(await asyncio.shield(waited_for))
            except _NoAnswer as end:
                if end.again:
                    continue
            return await run(*args, **keywords)

    return wrapper


def _ended(answers: _Idempotent, identity: tuple[str, str], answer: _Answer, _task: asyncio.Future[Any]) -> None:
    """Drops the answer of a call that was cancelled before its first step: its key would be lost for ever."""
    answers.drop(identity, answer, asyncio.CancelledError())


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Reads a failure whose callers may all have hung up: asyncio would log that nobody did."""
    if not future.cancelled():
        future.exception()

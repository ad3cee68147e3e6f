"""`retry`: further attempts of a function that calls a provider."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

from tokentrail import semconv
from tokentrail.callables import is_coroutine_function
from tokentrail.frames import passed_over
from tokentrail.process.diagnostics import log
from tokentrail.retrying.policy import RetryBudget, RetryPolicy
from tokentrail.retrying.transient import is_transient, retry_after_of, status_of

__all__ = ["retry"]

F = TypeVar("F", bound=Callable[..., Any])


class _Retry:
    """The decorator with its numbers."""

    def __init__(self, attempts: int, deadline: float, policy: RetryPolicy, budget: RetryBudget, retry_on: Callable[[Exception], bool]) -> None:
        self.attempts, self.deadline, self.policy, self.budget, self.retry_on = attempts, deadline, policy, budget, retry_on

    def __call__(self, function: F, /) -> F:
        if isinstance(function, (staticmethod, classmethod)):
            return type(function)(self(function.__func__))
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"retry decorates functions, not {getattr(function, '__qualname__', type(function).__name__)}")
        new = functools.partial(_Attempts, self, getattr(function, "__qualname__", type(function).__qualname__))
        if inspect.isasyncgenfunction(function):
            wrapper = _of_async_generator(function, new)
        elif inspect.isgeneratorfunction(function):
            wrapper = _of_generator(function, new)
        elif is_coroutine_function(function):
            wrapper = _of_coroutine(function, new)
        else:
            wrapper = _of_function(function, new)
        return functools.wraps(function)(wrapper)  # type: ignore[return-value]


class _Attempts:
    """The attempts of one call."""

    __slots__ = ("_begun", "_failed", "_name", "_retry")

    def __init__(self, retry: _Retry, name: str) -> None:
        self._retry, self._name = retry, name
        self._failed = 0
        self._begun = time.monotonic()
        retry.budget.note_call()

    def delay_after(self, error: Exception) -> float | None:
        """Returns the seconds until the next attempt; None if there is to be none, and the error is the caller's."""
        self._failed += 1
        retry = self._retry
        if self._failed >= retry.attempts or not _says_yes(retry.retry_on, error):
            return None
        asked = _asked_for(error)
        delay = retry.policy.next_delay(self._failed, asked)
        left = retry.deadline - (time.monotonic() - self._begun)
        if asked is not None and asked <= left:
            delay = min(delay, left)  # the jitter on top of what the server asks for is no reason to give up
        if delay > left or not retry.budget.take():
            return None
        self._tell(error, delay)
        return delay

    def _tell(self, error: Exception, delay: float) -> None:
        """States the failed attempt in the current span and in the log, by its type: its text may hold the application's."""
        from opentelemetry import trace  # noqa: PLC0415 - not loaded by `import tokentrail`

        kind = type(error).__qualname__
        try:
            kind = str(status_of(error) or kind)
            facts: dict[str, Any] = {semconv.ATTEMPT: self._failed, semconv.RETRY_DELAY: round(delay, 3), semconv.ERROR_TYPE: kind}
            trace.get_current_span().add_event(semconv.EVENT_RETRY, facts)
        except Exception as failure:  # of a span processor, or of an attribute of the error's
            log(logging.DEBUG, "tokentrail: the event of a retry: %s", type(failure).__name__)
        log(
            logging.INFO,
            "tokentrail: %s failed (%s), attempt %d of %d; the next one in %.1f s",
            self._name,
            kind,
            self._failed,
            self._retry.attempts,
            delay,
        )


NewAttempts = Callable[[], _Attempts]


@passed_over
def _of_function(run: Any, new: NewAttempts) -> Callable[..., Any]:
    def wrapper(*args: Any, **keywords: Any) -> Any:
        attempts = new()
        while True:
            try:
                value = run(*args, **keywords)
            except Exception as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
            else:  # a lambda, or another decorator's function, may return a coroutine
                return _awaited(value, functools.partial(run, *args, **keywords), attempts) if inspect.iscoroutine(value) else value
            time.sleep(delay)

    return wrapper


@passed_over
def _of_coroutine(run: Any, new: NewAttempts) -> Callable[..., Any]:
    async def wrapper(*args: Any, **keywords: Any) -> Any:
        return await _awaited(None, functools.partial(run, *args, **keywords), new())

    return wrapper


@passed_over
async def _awaited(begun: Any, run: Callable[[], Any], attempts: _Attempts) -> Any:
    while True:
        try:
            return await (run() if begun is None else begun)
        except Exception as error:
            delay = attempts.delay_after(error)
            if delay is None:
                raise
        begun = None
        await asyncio.sleep(delay)


@passed_over
def _begun(begin: Callable[[], Any], attempts: _Attempts) -> tuple[Any, Any]:
    while True:
        steps = begin()
        try:
            return steps, next(steps)
        except StopIteration as stop:
            return None, stop.value
        except Exception as error:
            delay = attempts.delay_after(error)
            if delay is None:
                raise
        time.sleep(delay)


@passed_over
def _of_generator(run: Any, new: NewAttempts) -> Callable[..., Any]:
    def wrapper(*args: Any, **keywords: Any) -> Any:
        steps, item = _begun(functools.partial(run, *args, **keywords), new())
        if steps is None:
            return item
        try:
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    item = steps.throw(thrown)
                else:
                    item = steps.send(sent)
        except StopIteration as stop:
            return stop.value
        finally:
            steps.close()

    return wrapper


@passed_over
async def _begun_async(begin: Callable[[], Any], attempts: _Attempts) -> tuple[Any, Any]:
    while True:
        steps = begin()
        try:
            return steps, await steps.__anext__()
        except StopAsyncIteration:
            return None, None
        except Exception as error:
            delay = attempts.delay_after(error)
            if delay is None:
                raise
        await asyncio.sleep(delay)


@passed_over
def _of_async_generator(run: Any, new: NewAttempts) -> Callable[..., Any]:
    async def wrapper(*args: Any, **keywords: Any) -> Any:
        steps, item = await _begun_async(functools.partial(run, *args, **keywords), new())
        if steps is None:
            return
        try:
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as thrown:
                    item = await steps.athrow(thrown)
                else:
                    item = await steps.asend(sent)
        except StopAsyncIteration:
            return
        finally:
            await steps.aclose()

    return wrapper


def _asked_for(error: Exception) -> float | None:
    try:
        return retry_after_of(error)
    except Exception:  # of an attribute of the error's
        return None


def _says_yes(retry_on: Callable[[Exception], bool], error: Exception) -> bool:
    try:
        return bool(retry_on(error))
    except Exception:  # the caller is to see the call's error, and no other
        return False


@overload
def retry(function: F, /) -> F: ...
@overload
def retry(
    *,
    attempts: int = 4,
    deadline: float = 60.0,
    first: float = 0.5,
    longest: float = 30.0,
    budget: RetryBudget | None = None,
    retry_on: Callable[[Exception], bool] | None = None,
) -> Callable[[F], F]: ...
def retry(
    function: Any = None,
    /,
    *,
    attempts: int = 4,
    deadline: float = 60.0,
    first: float = 0.5,
    longest: float = 30.0,
    budget: RetryBudget | None = None,
    retry_on: Callable[[Exception], bool] | None = None,
) -> Any:
    """Makes further attempts of a function that calls a provider, where another attempt may succeed.

        @retry
        @retry(attempts=3, deadline=20)

    Another attempt follows timeouts, connection errors and the statuses 408, 409, 429 and 5xx, and never another refusal, an error of the program's
    own, a spent budget or a cancellation. The delays are exponential with full jitter: between 0 and `first`, twice that, and so on, up to `longest`
    seconds. What the server asks for (`retry-after-ms`, `Retry-After`) is waited for. After `attempts` in all, or where the next one would begin more
    than `deadline` seconds after the first, the last error is raised as it is. `budget` bounds the retries to a share of the calls: one for each
    decorated function, or a `RetryBudget` that several share. `retry_on` decides instead of the rule above.

    Functions, coroutine functions, generators and async generators keep their kind; a generator is begun anew only before its first item. Each
    attempt is a call of its own, in the trace and in the ledger, and nothing is counted twice; the span around them gets the event
    `tokentrail.retry`. SDKs retry too: two attempts of a client with two retries of its own are six requests, so give the client `max_retries=0`.

    Raises `ValueError` or `TypeError` for wrong numbers.
    """
    if function is not None and (isinstance(function, type) or not (callable(function) or isinstance(function, classmethod))):
        raise TypeError("retry takes a function alone, as @retry; numbers have names: @retry(attempts=3)")
    if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
        raise ValueError(f"attempts is {attempts!r}: a whole number, from 1")
    for name, seconds in (("deadline", deadline), ("first", first), ("longest", longest)):
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
            raise ValueError(f"{name} is {seconds!r}: seconds above 0")
    if budget is not None and not isinstance(budget, RetryBudget):
        raise TypeError(f"budget is a tokentrail.RetryBudget, not {budget!r}")
    policy = RetryPolicy(first=first, longest=longest, max_retry_after=math.inf)  # the deadline is the bound
    made = _Retry(attempts, deadline, policy, budget or RetryBudget(), retry_on or is_transient)
    return made if function is None else cast("Any", made)(function)

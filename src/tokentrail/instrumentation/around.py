"""Wraps one call of an SDK's function: starts a call before, records the call after; results and exceptions of the SDK pass unchanged.

Every step of tokentrail runs under a guard that counts and logs exceptions.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from tokentrail.attribution import attribution, named_budgets
from tokentrail.frames import passed_over
from tokentrail.instrumentation.contract import Answer, Exchange, Hook
from tokentrail.recording import recorder
from tokentrail.recording.runtime import internal_error

__all__ = ["COUNTS", "ended_by", "place", "sanitized", "under_way", "wrapper_of"]

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]

COUNTS = tuple(name for name in Answer.__struct_fields__ if name.endswith("_tokens"))
WHOLE = (int, type(None))
TOO_MUCH = 1 << 63
DIGITS = re.compile("[0-9]{1,18}").fullmatch

Place = list[Exchange]
"""Holds the exchange while the SDK's function runs; empty afterwards, since timers and tasks that were started inside keep the context."""

NOWHERE: Place = []
place: ContextVar[Place] = ContextVar("tokentrail_exchange", default=NOWHERE)


class UnderWay:
    """The exchange whose SDK function is running."""

    @staticmethod
    def get() -> Exchange | None:
        """Returns the exchange; None outside of every call."""
        held = place.get()
        return held[0] if held else None


under_way = UnderWay()


def wrapper_of(hook: Hook) -> Wrapper:
    """Returns the wrapt wrapper of a hook."""
    where = f"{hook.module}:{hook.name}"
    if hook.wraps is not None:
        return hook.wraps
    if hook.observes is not None:
        return _observed(where, hook.observes)
    if hook.opens is None:
        raise ValueError(f"the hook {where} neither opens nor observes nor wraps")
    return _around_async(where, hook.opens) if hook.is_async else _around(where, hook.opens)


def _observed(where: str, observes: Callable[[Exchange], None]) -> Wrapper:
    @passed_over
    def wrapper(wrapped: Any, _instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            held = place.get()
            if held:
                observes(held[0])
        except Exception as error:
            internal_error(where, error)
        return wrapped(*args, **kwargs)

    return wrapper


def _around(where: str, opens: Callable[..., Exchange | None]) -> Wrapper:
    @passed_over
    def wrapper(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        exchange = _begin(where, opens, instance, args, kwargs)
        if exchange is None:
            return _pass(wrapped, args, kwargs)
        call = exchange.call
        held = [exchange]
        token = place.set(held)
        if call is not None:
            call.enter()
        try:
            result = wrapped(*exchange.args, **exchange.kwargs)
        except BaseException as error:
            _failed(where, exchange, error)
            raise
        finally:
            if call is not None:
                call.leave()
            del held[:]
            place.reset(token)
        return _answered(where, exchange, result)

    return wrapper


def _around_async(where: str, opens: Callable[..., Exchange | None]) -> Wrapper:
    @passed_over
    async def wrapper(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        exchange = _begin(where, opens, instance, args, kwargs)
        if exchange is None:
            return await _pass_async(wrapped, args, kwargs)
        call = exchange.call
        held = [exchange]
        token = place.set(held)
        if call is not None:
            call.enter()
        try:
            result = await wrapped(*exchange.args, **exchange.kwargs)
        except GeneratorExit:
            del held[:]
            # a waiting task was dropped: the generator is closed in another context, where `enter` has set nothing, and maybe in a finalizer
            if call is not None:
                call.finish_later(Answer(), "partial")
            raise
        except BaseException as error:
            _leave(exchange, held, token)
            _failed(where, exchange, error)
            raise
        _leave(exchange, held, token)
        return _answered(where, exchange, result)

    return wrapper


@passed_over
def _pass(wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls a function without recording. Retries of this call do not count for the exchange under way, whose event hook may have made the call."""
    if not place.get():
        return wrapped(*args, **kwargs)
    token = place.set(NOWHERE)
    try:
        return wrapped(*args, **kwargs)
    finally:
        place.reset(token)


@passed_over
async def _pass_async(wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not place.get():
        return await wrapped(*args, **kwargs)
    token = place.set(NOWHERE)
    try:
        return await wrapped(*args, **kwargs)
    finally:
        with suppress(ValueError):  # the waiting task was dropped: the generator is closed in another context, where nothing was set
            place.reset(token)


def _leave(exchange: Exchange, held: Place, token: Any) -> None:
    if exchange.call is not None:
        exchange.call.leave()
    del held[:]
    place.reset(token)


def _begin(where: str, opens: Callable[..., Exchange | None], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
    try:
        exchange = opens(instance, args, kwargs)
        if exchange is None:
            return None
        if type(exchange.args) is not tuple or type(exchange.kwargs) is not dict:
            raise TypeError(f"the hook's exchange has no arguments for the SDK's function: {where}")  # noqa: TRY301 - counted, and passed by
        request = exchange.request
        if type(request.model) is not str:
            request.model = _text(request.model)
        if exchange.deferred and not request.texts:  # reads what is spent already
            return exchange
        if named_budgets and (block := attribution.get()) is not None and block.budgets:
            from tokentrail.budgets.guard import guard  # noqa: PLC0415 - loaded already, since a block names a budget

            guard.check(block)
        if exchange.deferred:
            return exchange
        exchange.call = recorder.start(request)
    except Exception as error:
        if _is_of_budgets(error):
            raise
        internal_error(where, error)
        return None
    return exchange if exchange.call is not None else None


def _is_of_budgets(error: Exception) -> bool:
    """Whether the caller has asked for this error: the only one that a hook of tokentrail lets pass."""
    guards = sys.modules.get("tokentrail.budgets.guard")
    return guards is not None and isinstance(error, guards.BudgetExceeded)


def _answered(where: str, exchange: Exchange, result: Any) -> Any:
    """Records the answer; returns the result for the caller."""
    try:
        if exchange.deliver is not None:
            return exchange.deliver(exchange, result)
        reading = exchange.read(result)
        if reading is not None:
            answer, ended = reading  # within the guard: an integration may return anything
            reading = sanitized(answer, exchange.attempts), ended
    except Exception as error:
        internal_error(where, error)
        reading = None if exchange.deferred else (sanitized(Answer(), exchange.attempts), "complete")
    if reading is not None:
        call = exchange.call or recorder.start(exchange.request)
        if call is not None:
            call.finish(reading[0], reading[1])
    return result


def _failed(where: str, exchange: Exchange, error: BaseException) -> None:
    """Records a call that raised, with the usage that the exception, or the answer behind the exception, states."""
    try:
        stated = exchange.read_error(exchange, error) if exchange.read_error is not None else None
        answer = sanitized(stated or Answer(), exchange.attempts)
    except Exception as failure:
        internal_error(where, failure)
        answer = sanitized(Answer(), exchange.attempts)
    if exchange.call is not None:
        exchange.call.finish(answer, ended_by(error), error)


def ended_by(error: BaseException) -> str:
    """Returns how a call that raised has ended: `error`, or `partial` if the call was interrupted from outside.

    The rule is Python's own: an exception that is no `Exception` ends the running code from outside (`CancelledError` of asyncio and trio,
    `KeyboardInterrupt`, `SystemExit`, `GreenletExit`, the `Timeout` of gevent and eventlet, `GeneratorExit`, a group of them).
    """
    return "error" if isinstance(error, Exception) else "partial"


def sanitized(answer: Answer, attempts: int) -> Answer:
    """Sets the attempts; replaces counts that are no 64-bit integers, and names that are no strings (servers send 12.0 and "12")."""
    answer.attempts = attempts or 1  # 0: the SDK's tries are counted, and it failed before the first
    if type(answer.model) is not str:
        answer.model = _text(answer.model)
    if type(answer.response_id) is not str:
        answer.response_id = _text(answer.response_id)
    for reason in answer.finish_reasons:
        if type(reason) is not str:
            answer.finish_reasons = [_text(each) for each in answer.finish_reasons]
            break
    if (
        not (
            # every count (checks), written by `make docs`
            type(answer.input_tokens) in WHOLE
            and type(answer.output_tokens) in WHOLE
            and type(answer.cache_read_tokens) in WHOLE
            and type(answer.cache_write_tokens) in WHOLE
            and type(answer.reasoning_tokens) in WHOLE
            and type(answer.audio_input_tokens) in WHOLE
            and type(answer.audio_output_tokens) in WHOLE
            and type(answer.image_input_tokens) in WHOLE
            and type(answer.image_output_tokens) in WHOLE
            and type(answer.consumed_input_tokens) in WHOLE
            and type(answer.consumed_output_tokens) in WHOLE
            and type(answer.cache_write_1h_tokens) in WHOLE
            # every count, end
        )
        or not 0
        <= (
            # every count (bits), written by `make docs`
            (answer.input_tokens or 0)
            | (answer.output_tokens or 0)
            | (answer.cache_read_tokens or 0)
            | (answer.cache_write_tokens or 0)
            | (answer.reasoning_tokens or 0)
            | (answer.audio_input_tokens or 0)
            | (answer.audio_output_tokens or 0)
            | (answer.image_input_tokens or 0)
            | (answer.image_output_tokens or 0)
            | (answer.consumed_input_tokens or 0)
            | (answer.consumed_output_tokens or 0)
            | (answer.cache_write_1h_tokens or 0)
            # every count, end
        )
        < TOO_MUCH
    ):
        for name in COUNTS:
            setattr(answer, name, _whole(getattr(answer, name)))
    return answer


def _whole(value: Any) -> int | None:
    """Returns a count from 0 that 64 bits hold; None, "not stated", for any other value: only a correction is negative."""
    if isinstance(value, str):
        return int(value) if DIGITS(value) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < TOO_MUCH else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # the value of an enum too: `str()` of an enum returns the member's name
    return "" if value is None else str(value)

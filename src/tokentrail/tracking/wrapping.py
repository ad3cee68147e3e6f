"""Sets the attribution around each step of a decorated function, and of the generator or coroutine that the function returns.

A context variable that stays set across a `yield` leaks into the caller, and an abandoned async generator raises when it resets the variable in
another context. The variable is therefore set and reset around every single step. Wrappers raise no exception of their own.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import Token
from time import time_ns
from typing import Any

from tokentrail.attribution import Attribution, attribution
from tokentrail.frames import passed_over
from tokentrail.recording.runtime import current, internal_error
from tokentrail.telemetry import instruments

__all__ = ["begin", "end", "end_later", "enter", "leave", "wrap"]

MakeBlock = Callable[[tuple[Any, ...], dict[str, Any]], Attribution]
Entered = tuple[Token[Attribution | None], Any]


def begin(block: Attribution, name: str) -> Attribution:
    """Starts the block's span, which is the parent of the spans of the calls inside."""
    try:
        runtime = current.runtime
        block.span = (runtime.telemetry or runtime.instruments()).start_block(name, block)
        if block.span is not None:
            runtime.deferred.start()  # for `end_later`, which may run where no thread can be started
    except Exception as error:
        internal_error("track_tokens: its span", error)
    return block


def enter(block: Attribution) -> Entered:
    """Makes the block current."""
    return attribution.set(block), None if block.span is None else instruments.attach(block.span)


def leave(entered: Entered) -> None:
    """Makes the former block current again. A coroutine that the garbage collector closes ends in another context, where nothing is to be undone."""
    token, attached = entered
    try:
        attribution.reset(token)
    except ValueError:
        return
    if attached is not None:
        instruments.detach(attached)


def end(block: Attribution, error: BaseException | None = None) -> None:
    """Ends the block's span."""
    if block.span is not None:
        try:
            instruments.end_block(block.span, error)
        except Exception as failure:
            internal_error("track_tokens: its span", failure)


def end_later(block: Attribution) -> None:
    """Ends the block's span from another thread: a finalizer may run while its own thread holds a lock of the SDK."""
    if block.span is not None:
        current.runtime.deferred.do_later(functools.partial(instruments.end_block, block.span, None, time_ns()))


def wrap(function: Any, make_block: MakeBlock) -> Any:
    """Returns a wrapper that attributes all usages of the function; the wrapper is of the same kind (sync, async, generator).

    The block of a coroutine function or a generator starts with the body: at the first step, not at the call.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(wrap(function.__func__, make_block))
    name = getattr(function, "__qualname__", type(function).__qualname__)

    def make(args: tuple[Any, ...], keywords: dict[str, Any]) -> Attribution:
        return begin(make_block(args, keywords), name)

    wrapper: Any
    if inspect.isasyncgenfunction(function):
        wrapper = _async_steps(lambda args, keywords: (function(*args, **keywords), make(args, keywords)))
    elif inspect.isgeneratorfunction(function):

        @passed_over
        def wrapper(*args: Any, **keywords: Any) -> Any:
            return (yield from _steps(function(*args, **keywords), make(args, keywords)))

    elif inspect.iscoroutinefunction(function):

        @passed_over
        async def wrapper(*args: Any, **keywords: Any) -> Any:
            return await _await(function(*args, **keywords), make(args, keywords))

    else:

        @passed_over
        def wrapper(*args: Any, **keywords: Any) -> Any:
            return _call(function, args, keywords, make(args, keywords))

    return functools.wraps(function)(wrapper)


@passed_over
def _call(function: Any, args: tuple[Any, ...], keywords: dict[str, Any], block: Attribution) -> Any:
    entered = enter(block)
    try:
        value = function(*args, **keywords)
    except BaseException as error:
        end(block, error)
        raise
    finally:
        leave(entered)
    return _attribute_result(value, block)


@passed_over
async def _await(coroutine: Awaitable[Any], block: Attribution) -> Any:
    entered = enter(block)
    try:
        value = await coroutine
    except GeneratorExit:
        end_later(block)
        raise
    except BaseException as error:
        end(block, error)
        raise
    finally:
        leave(entered)
    return _attribute_result(value, block)


def _attribute_result(value: Any, block: Attribution) -> Any:
    """Attributes also a result that runs later: a generator, a coroutine, or the body of a web framework's streaming response. Ends other blocks."""
    later = _attribute_value(value, block)
    if later is not None:
        return later
    try:
        fields = getattr(value, "__dict__", {})
        for name in ("body_iterator", "response", "_iterator"):  # starlette and FastAPI; flask and werkzeug; Django
            later = _attribute_value(fields[name], block) if name in fields else None
            if later is not None:
                setattr(value, name, later)
                return value
    except Exception as error:  # the body of a frozen object is not attributed
        internal_error("track_tokens: a returned body", error)
    end(block)
    return value


def _attribute_value(value: Any, block: Attribution) -> Any:
    later: Any
    if inspect.isgenerator(value):
        later = _steps(value, block)
    elif inspect.isasyncgen(value):
        later = _async_steps(lambda _args, _keywords: (value, block))()
    elif inspect.iscoroutine(value):
        later = _await(value, block)
    else:
        return None
    later.__name__, later.__qualname__ = value.__name__, value.__qualname__
    return later


@passed_over
def _steps(generator: Generator[Any, Any, Any], block: Attribution) -> Generator[Any, Any, Any]:
    """Runs each step of a generator under the block; passes on `send`, `throw`, `close` and the return value."""
    sent, thrown = None, None
    while True:
        entered = enter(block)
        try:
            value = generator.send(sent) if thrown is None else generator.throw(thrown)
        except StopIteration as stop:
            end(block)
            return stop.value
        except BaseException as error:
            end(block, error)
            raise
        finally:
            sent, thrown = None, None  # a reference to the exception would keep this frame alive
            leave(entered)
        try:
            sent = yield value
        except GeneratorExit:
            entered = enter(block)
            try:
                generator.close()
            finally:
                leave(entered)
                end_later(block)
            raise
        except BaseException as error:
            thrown = error
        finally:
            value = None


def _async_steps(
    make: Callable[[tuple[Any, ...], dict[str, Any]], tuple[AsyncGenerator[Any, Any], Attribution]],
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Returns an async generator function that runs each step of another generator under the block. Only between two steps the context may change."""

    @passed_over
    async def steps(*args: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
        generator, block = make(args, keywords)
        next_step = _first_step(generator)
        while True:
            entered = enter(block)
            try:
                value = await next_step
            except StopAsyncIteration:
                end(block)
                return
            except GeneratorExit:
                end_later(block)
                raise
            except BaseException as error:
                end(block, error)
                raise
            finally:
                del next_step
                leave(entered)
            try:
                next_step = generator.asend((yield value))
            except GeneratorExit:
                entered = enter(block)
                try:
                    await generator.aclose()
                finally:
                    leave(entered)
                    end_later(block)
                raise
            except BaseException as error:
                next_step = generator.athrow(error)
            finally:
                value = None

    return steps


def _first_step(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Makes the first step without the event loop's hooks: a loop that closed the inner generator at shutdown would collide with the wrapper."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)

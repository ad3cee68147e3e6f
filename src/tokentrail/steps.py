"""Setting the attribution around each step of whatever a decorated function is or returns.

A context variable that stays set across a `yield` leaks into the caller, and an abandoned async generator raises when it resets it in another
context. So it is set and reset around every single step.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import Token
from typing import Any

from tokentrail import telemetry
from tokentrail.attribution import Attribution, attribution

__all__ = ["attributed", "begin", "end", "enter", "leave"]

MakeBlock = Callable[[tuple[Any, ...], dict[str, Any]], Attribution]
Entered = tuple[Token[Attribution | None], Any]


def begin(block: Attribution, name: str) -> Attribution:
    """Give the block its span, under which the spans of the calls inside will lie."""
    block.span = telemetry.start_block(name, block)
    return block


def enter(block: Attribution) -> Entered:
    """Make the block current."""
    return attribution.set(block), None if block.span is None else telemetry.attach(block.span)


def leave(entered: Entered) -> None:
    """Make what was current before current again. A coroutine that the garbage collector closes ends in another context: nothing to undo there."""
    token, attached = entered
    if attached is not None:
        telemetry.detach(attached)
    with contextlib.suppress(ValueError):
        attribution.reset(token)


def end(block: Attribution, error: BaseException | None = None) -> None:
    """End the block's span."""
    if block.span is not None:
        telemetry.end_block(block.span, error)


def attributed(function: Any, make_block: MakeBlock) -> Any:
    """The function, with everything it spends attributed; its kind (sync, async, generator) stays what it is."""
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(attributed(function.__func__, make_block))
    name = getattr(function, "__qualname__", type(function).__qualname__)

    def make(args: tuple[Any, ...], keywords: dict[str, Any]) -> Attribution:
        return begin(make_block(args, keywords), name)

    wrapper: Any
    if inspect.isasyncgenfunction(function):
        wrapper = _async_generator(lambda args, keywords: (function(*args, **keywords), make(args, keywords)))
    elif inspect.isgeneratorfunction(function):

        def wrapper(*args: Any, **keywords: Any) -> Any:
            return (yield from _steps(function(*args, **keywords), make(args, keywords)))

    elif inspect.iscoroutinefunction(function):

        async def wrapper(*args: Any, **keywords: Any) -> Any:
            return await _awaited(function(*args, **keywords), make(args, keywords))

    else:

        def wrapper(*args: Any, **keywords: Any) -> Any:
            return _called(function, args, keywords, make(args, keywords))

    return functools.wraps(function)(wrapper)


def _called(function: Any, args: tuple[Any, ...], keywords: dict[str, Any], block: Attribution) -> Any:
    entered = enter(block)
    try:
        value = function(*args, **keywords)
    except BaseException as error:
        end(block, error)
        raise
    finally:
        leave(entered)
    return _returned(value, block)


async def _awaited(coroutine: Any, block: Attribution) -> Any:
    entered = enter(block)
    try:
        value = await coroutine
    except BaseException as error:
        end(block, error)
        raise
    finally:
        leave(entered)
    return _returned(value, block)


def _returned(value: Any, block: Attribution) -> Any:
    """What a function returns to be run later, attributed too: generators, coroutines, and the body of a web framework's streaming response."""
    later = _later(value, block)
    if later is not None:
        return later
    for name in ("body_iterator", "response"):  # starlette and FastAPI; flask and werkzeug
        body = getattr(value, "__dict__", {}).get(name)
        later = None if body is None else _later(body, block)
        if later is not None:
            setattr(value, name, later)
            return value
    end(block)
    return value


def _later(value: Any, block: Attribution) -> Any:
    if inspect.isgenerator(value):
        return _steps(value, block)
    if inspect.isasyncgen(value):
        return _async_generator(lambda _args, _keywords: (value, block))()
    if inspect.iscoroutine(value):
        return _awaited(value, block)
    return None


def _steps(generator: Generator[Any, Any, Any], block: Attribution) -> Generator[Any, Any, Any]:
    """A generator's steps, each under the block; `send`, `throw`, `close` and the return value go through."""
    step: Callable[[], Any] = functools.partial(next, generator)
    while True:
        entered = enter(block)
        try:
            value = step()
        except StopIteration as stop:
            end(block)
            return stop.value
        except BaseException as error:
            end(block, error)
            raise
        finally:
            leave(entered)
        try:
            sent = yield value
            step = functools.partial(generator.send, sent)
        except GeneratorExit:
            entered = enter(block)
            try:
                generator.close()
            finally:
                leave(entered)
                end(block)
            raise
        except BaseException as error:
            step = functools.partial(generator.throw, error)


def _async_generator(
    make: Callable[[tuple[Any, ...], dict[str, Any]], tuple[AsyncGenerator[Any, Any], Attribution]],
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """An async generator function over another generator's steps. Between two steps it may be resumed in another context, never within one."""

    async def steps(*args: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
        generator, block = make(args, keywords)
        step: Callable[[], Any] = functools.partial(generator.asend, None)
        while True:
            entered = enter(block)
            try:
                value = await step()
            except StopAsyncIteration:
                end(block)
                return
            except BaseException as error:
                end(block, error)
                raise
            finally:
                leave(entered)
            try:
                sent = yield value
                step = functools.partial(generator.asend, sent)
            except GeneratorExit:
                entered = enter(block)
                try:
                    await generator.aclose()
                finally:
                    leave(entered)
                    end(block)
                raise
            except BaseException as error:
                step = functools.partial(generator.athrow, error)

    return steps

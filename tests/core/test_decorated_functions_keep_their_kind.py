"""A decorated function looks, binds, yields, raises and returns as before, whatever kind it is."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from tests.support.calls import call
from tokentrail import Operation, track_tokens
from tokentrail.testing import Usages
from tokentrail.vocabulary import TokenType

STYLES = [
    pytest.param(track_tokens, id="bare"),
    pytest.param(track_tokens(), id="empty parentheses"),
    pytest.param(track_tokens("query"), id="positional text"),
    pytest.param(track_tokens(Operation.QUERY), id="positional enum"),
    pytest.param(track_tokens(operation="OPERATION_QUERY"), id="constant's name"),
    pytest.param(track_tokens(operation=lambda *_args, **_keywords: "query"), id="callable"),
]


def plain(number: int, /, *, word: str = "x") -> str:
    """Say it."""
    return word * number


async def coroutine(number: int) -> int:
    await asyncio.sleep(0)
    return number


def generator(number: int) -> Generator[int, str, str]:
    said = ""
    for step in range(number):
        said += yield step
    return said


async def async_generator(number: int) -> AsyncGenerator[int, None]:
    for step in range(number):
        await asyncio.sleep(0)
        yield step


KINDS = ("isfunction", "iscoroutinefunction", "isgeneratorfunction", "isasyncgenfunction")


@pytest.mark.parametrize("function", [plain, coroutine, generator, async_generator])
@pytest.mark.parametrize("style", STYLES)
def test_inspection_sees_no_difference(style: Callable[..., Any], function: Callable[..., Any]) -> None:
    decorated = style(function)
    assert [getattr(inspect, kind)(decorated) for kind in KINDS] == [getattr(inspect, kind)(function) for kind in KINDS]
    assert asyncio.iscoroutinefunction(decorated) is asyncio.iscoroutinefunction(function)
    assert inspect.signature(decorated) == inspect.signature(function)
    assert decorated.__wrapped__ is function
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(decorated, name) == getattr(function, name)


@pytest.mark.parametrize("style", STYLES)
def test_values_pass_unchanged(style: Callable[..., Any]) -> None:
    async def through() -> tuple[int, list[int]]:
        return await style(coroutine)(3), [step async for step in style(async_generator)(3)]

    assert style(plain)(2, word="ab") == "abab"
    running = style(generator)(2)
    assert [next(running), running.send("a")] == [0, 1]
    assert asyncio.run(through()) == (3, [0, 1, 2])


def test_what_is_returned_is_of_the_same_type() -> None:
    found: list[Any] = [track_tokens(function)(1) for function in (generator, coroutine, async_generator)]
    try:
        assert inspect.isgenerator(found[0])
        assert inspect.iscoroutine(found[1])
        assert inspect.isasyncgen(found[2])
        assert isinstance(found[0], Iterator)
        assert isinstance(found[2], AsyncIterator)
        assert [value.__name__ for value in found] == ["generator", "coroutine", "async_generator"]
    finally:
        found[1].close()


def test_send_throw_and_the_return_value_go_through_a_generator() -> None:
    seen: list[object] = []

    @track_tokens("chat")
    def steps() -> Generator[str, str, str]:
        try:
            seen.append((yield "first"))
            seen.append((yield "second"))
        except KeyError as error:
            seen.append(error.args)
            yield "after the error"
        return "the end"

    running = steps()
    assert next(running) == "first"
    assert running.send("hello") == "second"
    assert running.throw(KeyError("oh")) == "after the error"
    with pytest.raises(StopIteration) as stopped:
        next(running)
    assert (stopped.value.value, seen) == ("the end", ["hello", ("oh",)])

    def around() -> Generator[str, str, str]:
        return (yield from steps())

    outer = around()
    next(outer)
    outer.send("a")
    with pytest.raises(StopIteration) as stopped:
        outer.send("b")
    assert stopped.value.value == "the end"


def test_close_runs_a_generators_own_cleanup_at_once() -> None:
    seen = []

    @track_tokens
    def steps() -> Iterator[int]:
        try:
            yield 1
        finally:
            seen.append("cleaned up")

    running = steps()
    next(running)
    running.close()  # type: ignore[attr-defined]
    assert seen == ["cleaned up"]
    with pytest.raises(StopIteration):
        next(running)


def test_a_generator_that_refuses_to_close_is_told_so_as_ever() -> None:
    @track_tokens
    def stubborn() -> Generator[int, None, None]:
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    running = stubborn()
    next(running)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        running.close()


@pytest.mark.slow
def test_a_finished_generator_keeps_nothing_alive() -> None:
    class Big:
        pass

    alive: list[int] = []

    @track_tokens
    def steps(big: Big) -> Iterator[Big]:
        yield big
        raise KeyError("at the end")

    def use() -> None:
        running = steps(Big())
        next(running)
        with pytest.raises(KeyError):
            next(running)

    gc.collect()
    gc.disable()
    try:
        use()
        alive.extend(1 for found in gc.get_objects() if isinstance(found, Big))
    finally:
        gc.enable()
    assert not alive


def test_asend_athrow_and_aclose_go_through_an_async_generator() -> None:
    seen: list[object] = []

    @track_tokens("chat")
    async def steps() -> AsyncGenerator[str, str]:
        try:
            seen.append((yield "first"))
            yield "second"
        except KeyError:
            yield "after the error"
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async def drive() -> None:
        running = steps()
        assert await anext(running) == "first"
        assert await running.asend("hello") == "second"
        assert await running.athrow(KeyError("oh")) == "after the error"
        await running.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(running)

    asyncio.run(drive())
    assert seen == ["hello", "cleaned up"]


class Service:
    tenant = "acme"

    @track_tokens(operation="query", tenant_id=lambda self, *_args: self.tenant)
    def method(self, number: int) -> int:
        call()
        return number

    @staticmethod
    @track_tokens("chat")
    def inner_static(number: int) -> int:
        call()
        return number

    @track_tokens("chat")
    @staticmethod
    def outer_static(number: int) -> int:
        call()
        return number

    @classmethod
    @track_tokens("chat", tenant_id=lambda cls, _number: cls.tenant)
    def inner_class(cls, number: int) -> int:
        call()
        return number

    @track_tokens("chat", tenant_id=lambda cls, _number: cls.tenant)
    @classmethod
    def outer_class(cls, number: int) -> int:
        call()
        return number

    @track_tokens
    @classmethod
    async def bare_outer_class(cls, number: int) -> int:
        call()
        return number


def test_methods_of_every_sort(tokentrail_usages: Usages) -> None:
    service = Service()
    assert [service.method(1), service.inner_static(2), service.outer_static(3), service.inner_class(4), service.outer_class(5)] == [1, 2, 3, 4, 5]
    assert [Service.outer_static(3), Service.inner_class(4), Service.outer_class(5)] == [3, 4, 5]
    assert asyncio.run(Service.bare_outer_class(6)) == 6
    assert [usage.tenant_id for usage in tokentrail_usages] == ["acme", "", "", "acme", "acme", "", "acme", "acme", ""]
    assert inspect.ismethod(service.method)
    assert isinstance(inspect.getattr_static(Service, "outer_static"), staticmethod)


def test_partials_and_callable_objects(tokentrail_usages: Usages) -> None:
    class Asker:
        async def __call__(self, number: int) -> int:
            call()
            return number

    assert track_tokens("query")(functools.partial(plain, 2))(word="a") == "aa"
    assert asyncio.run(track_tokens("query")(Asker())(7)) == 7
    assert asyncio.run(track_tokens("query")(functools.partial(Asker(), 8))()) == 8
    assert [usage.operation for usage in tokentrail_usages] == ["query", "query"]


def test_a_lambda_that_returns_a_coroutine_is_attributed_when_it_is_awaited(tokentrail_usages: Usages) -> None:
    async def ask() -> None:
        call()

    asyncio.run(track_tokens("query", tenant_id="acme")(lambda: ask())())  # noqa: PLW0108 - a function that returns a coroutine
    assert tokentrail_usages[0].tenant_id == "acme"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: track_tokens("queri"), "'queri' is not an operation: use one of query, chat"),
        (lambda: track_tokens(operation="Query"), "'Query' is not an operation"),
        (lambda: track_tokens(TokenType.LLM), "is not an operation"),  # type: ignore[call-overload]
        (lambda: track_tokens(3), "3 is not an operation"),  # type: ignore[call-overload]
        (lambda: track_tokens("query", operation="chat"), "two operations"),  # type: ignore[call-overload]
        (lambda: track_tokens(tenant_id=7), "tenant_id is a text or a function"),  # type: ignore[call-overload]
        (lambda: track_tokens(operation_id=b"x"), "operation_id is a text or a function"),  # type: ignore[call-overload]
        (lambda: track_tokens(metadata="x"), "metadata is a mapping or a function"),  # type: ignore[call-overload]
        (lambda: track_tokens(tenant="acme"), "tenant"),  # type: ignore[call-overload]
        (lambda: track_tokens(plain, tenant_id="acme"), "a function alone"),  # type: ignore[call-overload]
        (lambda: track_tokens(Service), "not the class Service: decorate its methods"),
        (lambda: track_tokens("chat")(property(plain)), "not property"),  # type: ignore[type-var]
        (lambda: track_tokens("chat")(5), "not int"),  # type: ignore[type-var]
    ],
)
def test_a_mistake_is_told_where_it_is_written(wrong: Callable[[], object], sentence: str) -> None:
    with pytest.raises((ValueError, TypeError), match=sentence):
        wrong()


def test_wrong_arguments_raise_what_they_raised(tokentrail_usages: Usages) -> None:
    with pytest.raises(TypeError, match=r"plain\(\) missing 1 required positional"):
        track_tokens(plain)()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional"):
        next(track_tokens(generator)())  # type: ignore[call-arg]

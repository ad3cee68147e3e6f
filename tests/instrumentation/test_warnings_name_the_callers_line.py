"""A warning or log record that an SDK, or a decorated function, lays to its caller by `stacklevel` names the caller's line, as without tokentrail.

Python shows a `DeprecationWarning` by default only if the line is one of `__main__`: laid to a line of tokentrail, the warning would be lost.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import types
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.support.installed import Point
from tokentrail import track_tokens
from tokentrail.frames import passed_over
from tokentrail.instrumentation import registry
from tokentrail.instrumentation.contract import Answer, Exchange, Hook, Integration, Request
from tokentrail.instrumentation.registry import instrument
from tokentrail.testing import Usages


def say() -> str:
    """What a deprecated function of an SDK says, in a helper of its own."""
    warnings.warn("ask is deprecated", DeprecationWarning, stacklevel=3)
    logging.getLogger("acme").warning("ask is deprecated", stacklevel=3)
    return "an answer"


class Client:
    def ask(self, _question: str) -> str:
        return say()

    async def ask_async(self, _question: str) -> str:
        await asyncio.sleep(0)
        return say()


def ask(_question: str) -> str:
    return say()


async def ask_async(_question: str) -> str:
    return say()


def steps(_question: str) -> Iterator[str]:
    yield say()


async def steps_async(_question: str) -> AsyncIterator[str]:
    yield say()


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch, usages: Usages) -> types.ModuleType:
    """An SDK whose functions are patched; `quiet` is a function whose calls are let pass."""

    def opens(_client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange | None:
        if args == ("nothing",):
            return None
        return Exchange(Request(provider="acme", endpoint="chat", gen_ai_operation="chat"), args, kwargs, read=lambda _: (Answer(), "complete"))

    module = types.ModuleType("acme_client")
    for name, each in {"Client": Client, "ask": ask, "ask_async": ask_async}.items():
        monkeypatch.setattr(module, name, each, raising=False)
    monkeypatch.setitem(sys.modules, "acme_client", module)
    hooks = tuple(
        Hook("acme_client", name, opens=opens, is_async=name.endswith("async")) for name in ("Client.ask", "Client.ask_async", "ask", "ask_async")
    )
    monkeypatch.setattr(registry, "points", lambda: {"acme": Point(Integration(name="acme", package="acme-sdk", hooks=hooks))})
    instrument()
    return module


def assert_laid_to(line: int, call: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    with warnings.catch_warnings(record=True) as warned, caplog.at_level(logging.WARNING, "acme"):
        warnings.simplefilter("always")
        assert call() == "an answer"
    assert [(each.filename, each.lineno) for each in warned] == [(__file__, line)]
    if sys.version_info >= (3, 11):  # until then, `logging` counts the import system's frames too
        assert [(each.pathname, each.lineno) for each in caplog.records if each.name == "acme"] == [(__file__, line)]


def here() -> int:
    """The number of the line below the caller's."""
    return sys._getframe(1).f_lineno + 1


@pytest.mark.parametrize("question", ["why", "nothing"])
def test_a_function_of_an_sdk(question: str, acme: types.ModuleType, caplog: pytest.LogCaptureFixture, usages: Usages) -> None:
    line = here()
    assert_laid_to(line, lambda: acme.Client().ask(question), caplog)
    line = here()
    assert_laid_to(line, lambda: acme.ask(question), caplog)
    assert len(usages.recorded) == (2 if question == "why" else 0)


@pytest.mark.parametrize("question", ["why", "nothing"])
def test_an_async_function_of_an_sdk(question: str, acme: types.ModuleType, caplog: pytest.LogCaptureFixture, usages: Usages) -> None:
    async def method() -> Any:
        return await acme.Client().ask_async(question)

    async def function() -> Any:
        return await acme.ask_async(question)

    assert_laid_to(method.__code__.co_firstlineno + 1, lambda: asyncio.run(method()), caplog)
    assert_laid_to(function.__code__.co_firstlineno + 1, lambda: asyncio.run(function()), caplog)
    assert len(usages.recorded) == (2 if question == "why" else 0)


def test_a_decorated_function(caplog: pytest.LogCaptureFixture) -> None:
    decorated, decorated_steps, decorated_async, decorated_steps_async = (track_tokens("chat")(each) for each in (ask, steps, ask_async, steps_async))

    async def awaits() -> Any:
        return await decorated_async("why")

    async def iterates() -> Any:
        return "".join([each async for each in decorated_steps_async("why")])

    line = here()
    assert_laid_to(line, lambda: decorated("why"), caplog)
    line = here()
    assert_laid_to(line, lambda: next(decorated_steps("why")), caplog)
    assert_laid_to(awaits.__code__.co_firstlineno + 1, lambda: asyncio.run(awaits()), caplog)
    assert_laid_to(iterates.__code__.co_firstlineno + 1, lambda: asyncio.run(iterates()), caplog)


def test_a_function_inside_a_wrapper_is_passed_over_too() -> None:
    def warns() -> None:
        warnings.warn("old", DeprecationWarning, stacklevel=2)

    @passed_over
    def wrapper() -> None:
        def inner() -> None:
            warns()

        inner()

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        here = sys._getframe().f_lineno + 1
        wrapper()
    assert [(each.filename, each.lineno) for each in seen] == [(__file__, here)]

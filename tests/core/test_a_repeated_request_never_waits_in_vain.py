"""`idempotent`: whoever waits gets an answer, or makes one: when the first caller is ended from outside, and when an answer asks for itself."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from flask import Response as FlaskResponse

from tokentrail import argument, idempotent

KEY = argument("key")
SECONDS = 10


def within_seconds(run: Callable[[], Any]) -> Any:
    """What the function returns, from a thread that nobody waits for if it never ends."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(run()), daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert found, "it waits for ever"
    return found[0]


def test_a_function_that_asks_itself_under_its_own_key_is_answered() -> None:
    depths: list[int] = []

    @idempotent(key=KEY)
    def ask(depth: int, key: str) -> int:
        depths.append(depth)
        return ask(depth - 1, key) + 1 if depth else 0

    @idempotent(key=KEY)
    async def ask_async(depth: int, key: str) -> int:
        depths.append(depth)
        return await ask_async(depth - 1, key) + 1 if depth else 0

    assert within_seconds(lambda: ask(2, "k")) == 2
    assert within_seconds(lambda: asyncio.run(asyncio.wait_for(ask_async(2, "k"), SECONDS))) == 2
    assert depths == [2, 1, 0] * 2
    assert (ask(2, "k"), len(depths)) == (2, 6)  # the outermost answer is kept


def test_two_answers_that_ask_for_each_other_are_both_there() -> None:
    both = threading.Barrier(2)

    @idempotent(key=KEY)
    def ask(key: str, then: str = "") -> str:
        if then:
            both.wait(SECONDS)
            return key + ask(then)
        return key

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(ask, "a", "b"), pool.submit(ask, "b", "a")]
        assert {len(each.result(SECONDS)) for each in found} <= {2, 3}


class Interrupted(BaseException):
    """As KeyboardInterrupt, or the exception that ends a greenlet."""


def test_an_end_from_outside_is_the_first_callers_alone() -> None:
    begun = threading.Event()
    made: list[int] = []

    @idempotent(key=KEY)
    def ask(key: str) -> str:
        made.append(1)
        if len(made) == 1:
            begun.set()
            time.sleep(0.2)
            raise Interrupted
        return "answer"

    def first() -> str:
        try:
            return ask("k")
        except Interrupted:
            return "interrupted"

    with ThreadPoolExecutor(6) as pool:
        ended = pool.submit(first)
        assert begun.wait(SECONDS)
        others = [pool.submit(ask, "k") for _ in range(5)]
        assert ended.result(SECONDS) == "interrupted"
        assert [each.result(SECONDS) for each in others] == ["answer"] * 5
    assert len(made) == 2


def test_a_loop_that_ends_takes_only_its_own_callers_along() -> None:
    begun = threading.Event()
    made: list[int] = []

    @idempotent(key=KEY)
    async def ask(key: str) -> str:
        made.append(1)
        if len(made) == 1:
            begun.set()
            await asyncio.sleep(60)
        return "answer"

    async def leave() -> None:
        caller = asyncio.ensure_future(ask("k"))
        await asyncio.sleep(0.3)
        del caller  # `asyncio.run` cancels what is left

    thread = threading.Thread(target=lambda: asyncio.run(leave()))
    thread.start()
    assert begun.wait(SECONDS)
    assert asyncio.run(asyncio.wait_for(ask("k"), SECONDS)) == "answer"
    thread.join()
    assert len(made) == 2


@pytest.mark.filterwarnings("ignore")
def test_a_loop_that_is_closed_under_way_blocks_no_key() -> None:
    @idempotent(key=KEY)
    async def ask(key: str, pause: float) -> str:
        await asyncio.sleep(pause)
        return "answer"

    loop = asyncio.new_event_loop()
    caller = loop.create_task(ask("k", 60))
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    assert asyncio.run(asyncio.wait_for(ask("k", 0), SECONDS)) == "answer"
    del caller, ask
    gc.collect()  # asyncio tells of the task here


class Agent:
    """Each kind of callable that the decorator takes."""

    made = 0

    async def __call__(self, key: str) -> int:
        Agent.made += 1
        return Agent.made

    @idempotent(key=KEY)
    @staticmethod
    def static(key: str) -> str:
        return key

    @idempotent(key=KEY)
    @classmethod
    def of_class(cls, key: str) -> str:
        return cls.__name__ + key


def test_each_kind_of_callable_keeps_its_kind() -> None:
    ask = idempotent(key=lambda key: key)(Agent())
    partial = idempotent(key=lambda key: key)(functools.partial(Agent().__call__))

    async def twice() -> list[int]:
        return [await ask("k"), await ask("k"), await partial("k"), await partial("k")]

    assert asyncio.run(twice()) == [1, 1, 2, 2]
    assert (Agent.static("k"), Agent().static("k"), Agent.of_class("k"), Agent().of_class("k")) == ("k", "k", "Agentk", "Agentk")


@pytest.mark.parametrize("name", ["key", "tenant_id", "content"])
def test_a_coroutine_function_is_no_source(name: str) -> None:
    async def found(key: str) -> str:
        return key

    with pytest.raises(TypeError, match=f"idempotent: {name} is a coroutine function"):
        idempotent(**{"key": KEY, name: found})


def numbers() -> Iterator[int]:
    yield 1


async def numbers_async() -> AsyncIterator[str]:
    yield "1"


READ_ONCE: list[Callable[[], Any]] = [
    numbers,
    numbers_async,
    lambda: map(str, [1]),
    lambda: asyncio.sleep(0, "answer"),
    lambda: StreamingResponse(numbers_async()),
    lambda: FlaskResponse(iter(["x"])),
]


@pytest.mark.parametrize("make", READ_ONCE)
def test_what_is_read_only_once_is_given_to_one_caller(make: Callable[[], Any]) -> None:
    @idempotent(key=KEY)
    def ask(key: str) -> Any:
        time.sleep(0.05)
        return make()

    with ThreadPoolExecutor(4) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a coroutine that nobody awaits
        answers = list(pool.map(ask, ["k"] * 4))
        answers.append(ask("k"))
        assert len({id(answer) for answer in answers}) == 5
        del answers


class Proxy:
    """A value whose class cannot be asked, as proxies outside of their request."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no request")


class OddResponse(FlaskResponse):
    """A response of the application's own, with a property that raises."""

    @property
    def is_streamed(self) -> bool:
        raise RuntimeError("not yet")


@pytest.mark.parametrize("made", [Proxy, OddResponse])
def test_a_value_that_cannot_be_asked_is_given_to_its_caller(made: type[Any]) -> None:
    @idempotent(key=KEY)
    def ask(key: str) -> Any:
        time.sleep(0.05)
        return made()

    @idempotent(key=KEY)
    async def ask_async(key: str) -> Any:
        await asyncio.sleep(0.05)
        return made()

    async def twice() -> list[Any]:
        return list(await asyncio.gather(ask_async("k"), ask_async("k")))

    first = threading.Thread(target=ask, args=("k",), daemon=True)
    first.start()
    assert type(within_seconds(lambda: ask("k"))) is made
    first.join()
    assert {type(answer) for answer in within_seconds(lambda: asyncio.run(twice()))} == {made}


def test_background_tasks_of_a_kept_response_run_once() -> None:
    app, done = FastAPI(), list[str]()

    @app.post("/query")
    @idempotent(key=KEY)
    async def query(key: str, background: BackgroundTasks) -> Response:
        background.add_task(done.append, key)
        return JSONResponse("the answer")

    client = TestClient(app)
    answers = [client.post("/query?key=k") for _ in range(3)]
    assert [(answer.text, answer.status_code) for answer in answers] == [('"the answer"', 200)] * 3
    assert done == ["k"]


def test_what_a_framework_adds_to_a_response_is_not_kept() -> None:
    @idempotent(key=KEY)
    def ask(key: str) -> Any:
        return FlaskResponse(key)

    first = ask("k")
    first.set_cookie("session", "of the first caller")
    first.headers["x-request-id"] = "1"
    second = ask("k")
    assert second.get_data() == b"k"
    assert not {"x-request-id", "set-cookie"} & {name.lower() for name, _value in second.headers}

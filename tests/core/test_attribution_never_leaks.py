"""Whatever is run, in whatever order and context: each call is attributed to its own block, and nobody else's."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from tests.core.conftest import Sdk
from tests.support.calls import a_request, an_answer, call
from tokentrail import track_tokens
from tokentrail.attribution import attribution
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.testing import Usages


@pytest.fixture(autouse=True)
def nothing_stays_set(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """With real spans, so that OpenTelemetry's own context is under test too: it logs an error where ours would only be wrong."""
    yield
    assert attribution.get() is None
    wrong = [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert not wrong, [(record.name, record.getMessage(), record.exc_info) for record in wrong]


def tenants(usages: Usages) -> list[str]:
    return [usage.tenant_id for usage in usages]


@track_tokens(tenant_id="inner")
def steps() -> Iterator[int]:
    for number in range(3):
        call()
        yield number


@track_tokens(tenant_id="inner")
async def async_steps() -> AsyncIterator[int]:
    for number in range(3):
        call()
        await asyncio.sleep(0)
        yield number


def test_a_generators_caller_is_itself_between_the_steps(tokentrail_usages: Usages) -> None:
    with track_tokens(tenant_id="outer"):
        for _ in steps():
            call()
    call()
    assert tenants(tokentrail_usages) == ["inner", "outer"] * 3 + [""]


def test_an_async_generators_caller_is_itself_between_the_steps(tokentrail_usages: Usages) -> None:
    async def drive() -> None:
        async with track_tokens(tenant_id="outer"):
            async for _ in async_steps():
                call()
        call()

    asyncio.run(drive())
    assert tenants(tokentrail_usages) == ["inner", "outer"] * 3 + [""]


def test_two_generators_read_in_turns_do_not_mix(tokentrail_usages: Usages) -> None:
    @track_tokens(tenant_id=lambda name: name)
    def named(name: str) -> Iterator[None]:
        for _ in range(2):
            call()
            yield

    for _ in zip(named("a"), named("b"), strict=True):
        pass
    assert tenants(tokentrail_usages) == ["a", "b", "a", "b"]


def test_a_generator_that_is_dropped_half_way(tokentrail_usages: Usages, sdk: Sdk) -> None:
    running = steps()
    next(running)
    del running
    gc.collect()
    call()
    assert tenants(tokentrail_usages) == ["inner", ""]
    assert [span.name for span in sdk.spans if span.name == "steps"] == ["steps"], "its span ends too"


def test_a_generator_that_is_read_in_another_thread(tokentrail_usages: Usages) -> None:
    running = steps()
    next(running)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: list(running)).result() == [1, 2]
    assert tenants(tokentrail_usages) == ["inner"] * 3


@pytest.mark.parametrize("how", ["dropped", "kept until the loop shuts down", "closed in another task", "cancelled while it waits"])
def test_an_async_generator_that_is_not_read_to_its_end(how: str, tokentrail_usages: Usages, sdk: Sdk) -> None:
    problems: list[dict[str, Any]] = []
    closed: list[str] = []
    kept: list[object] = []

    @track_tokens(tenant_id="inner", operation="chat")
    async def slow() -> AsyncIterator[int]:
        try:
            call()
            yield 1
            await asyncio.sleep(60)
            yield 2
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            closed.append("closed")

    async def drive() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, problem: problems.append(problem))
        running = slow()
        async for _ in running:
            break
        if how == "dropped":
            del running
            gc.collect()
            for _ in range(5):
                await asyncio.sleep(0)
            assert closed
        elif how == "kept until the loop shuts down":
            kept.append(running)
        elif how == "closed in another task":
            await asyncio.create_task(running.aclose())  # type: ignore[attr-defined]
        else:
            waiting = asyncio.create_task(anext(running))  # type: ignore[arg-type]
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        call()

    asyncio.run(drive())
    assert closed == ["closed"]
    assert not problems
    assert tenants(tokentrail_usages) == ["inner", ""]
    assert len([span for span in sdk.spans if span.name.endswith("slow")]) == 1


def test_a_coroutine_that_nobody_awaits_to_its_end(tokentrail_usages: Usages) -> None:
    class Pause:
        def __await__(self) -> Iterator[None]:
            yield

    @track_tokens(tenant_id="inner")
    async def waits() -> None:
        begun = recorder.start(a_request())
        assert begun is not None
        begun.enter()
        try:
            await Pause()
        finally:
            begun.leave()
            begun.finish(an_answer(), "error")

    running = waits()
    contextvars.copy_context().run(running.send, None)
    running.close()  # in another context than its first step, as a loop that is gone leaves it to the garbage collector
    call()
    assert tenants(tokentrail_usages) == ["inner", ""]


@pytest.mark.parametrize("parallel", ["gather", "tasks"])
def test_tasks_have_blocks_of_their_own(parallel: str, tokentrail_usages: Usages) -> None:
    @track_tokens(tenant_id=lambda number: f"t{number}", operation_id=lambda number: f"id{number}")
    async def one(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0.0005 * (number % 4))
            call()

    async def everyone() -> None:
        async with track_tokens("query") as spent:
            if parallel == "gather":
                await asyncio.gather(*[one(number) for number in range(30)])
            else:
                await asyncio.wait([asyncio.create_task(one(number)) for number in range(30)])
            assert spent.calls == 90
        call()

    asyncio.run(everyone())
    for number in range(30):
        found = tokentrail_usages.where(tenant_id=f"t{number}", operation_id=f"id{number}", operation="query")
        assert len(found) == 3
    assert tokentrail_usages[-1].tenant_id == ""


def test_one_instance_used_by_many_tasks_and_threads_at_once(tokentrail_usages: Usages) -> None:
    """The block object is made once, at import, and entered by everyone."""
    block = track_tokens(tenant_id=lambda: name.get())  # noqa: PLW0108 - the variable is read when the block begins
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    wrong: list[tuple[str, int]] = []

    async def task(number: int) -> None:
        name.set(f"task{number}")
        async with block as spent:
            await asyncio.sleep(0.001 * (number % 5))
            call()
            with block as inner:
                await asyncio.sleep(0.001 * (number % 3))
                call()
        if (spent.calls, inner.calls, attribution.get()) != (2, 1, None):
            wrong.append((f"task{number}", spent.calls))

    def thread(number: int) -> None:
        name.set(f"thread{number}")
        for _ in range(20):
            with block as spent:
                call()
            if (spent.calls, attribution.get()) != (1, None):
                wrong.append((f"thread{number}", spent.calls))

    async def everyone() -> None:
        threads = [asyncio.to_thread(thread, number) for number in range(4)]
        await asyncio.gather(*[task(number) for number in range(40)], *threads)

    asyncio.run(everyone())
    assert not wrong
    assert not block.entered
    assert {tenant: len(found) for tenant, found in tokentrail_usages.by("tenant_id").items()} == {
        **{f"task{number}": 2 for number in range(40)},
        **{f"thread{number}": 20 for number in range(4)},
    }


def test_a_block_that_is_left_in_another_context(tokentrail_usages: Usages, sdk: Sdk) -> None:
    """As fixtures and exit stacks do: entered by one task or thread, left by another."""

    async def drive() -> None:
        stack = AsyncExitStack()
        spent = await asyncio.create_task(stack.enter_async_context(track_tokens("query", tenant_id="acme")))
        call()
        await stack.aclose()
        assert spent.calls == 0, "the block was never this task's"

    asyncio.run(drive())
    stack = ExitStack()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stack.enter_context, track_tokens("chat")).result()
    stack.close()
    assert tenants(tokentrail_usages) == [""]
    assert {span.name for span in sdk.spans} >= {"track_tokens query", "track_tokens chat"}


def test_threads_take_part_where_the_context_is_handed_on(tokentrail_usages: Usages) -> None:
    with track_tokens(tenant_id="acme") as spent:
        for thread in (threading.Thread(target=contextvars.copy_context().run, args=(call,)), threading.Thread(target=call)):
            thread.start()
            thread.join()
        assert spent.calls == 1
    assert tenants(tokentrail_usages) == ["acme", ""]


def test_tasks_of_a_thread_pool_take_part(tokentrail_usages: Usages) -> None:
    with ThreadPoolExecutor(1) as pool:
        with track_tokens(tenant_id="acme") as spent:
            pool.submit(call).result()
            assert spent.calls == 1
        pool.submit(call).result()
    assert tenants(tokentrail_usages) == ["acme", ""]


@pytest.mark.parametrize("make", [steps, async_steps])
def test_one_that_was_never_started_is_nothing(make: Callable[[], object], tokentrail_usages: Usages) -> None:
    make()
    gc.collect()
    assert len(tokentrail_usages) == 0


def test_an_exception_leaves_no_block_behind(tokentrail_usages: Usages) -> None:
    @track_tokens(tenant_id="acme")
    def fails() -> None:
        raise KeyError("x")

    for _ in range(2):
        with pytest.raises(KeyError):
            fails()
        with pytest.raises(KeyError), track_tokens(tenant_id="acme"):
            fails()
    call()
    assert tenants(tokentrail_usages) == [""]


def test_a_stream_that_ends_after_the_block_belongs_to_it(tokentrail_usages: Usages) -> None:
    with track_tokens(tenant_id="acme") as spent:
        begun = recorder.start(a_request(stream=True))
    assert begun is not None
    assert spent.calls == 0
    threading.Thread(target=begun.finish, args=(an_answer(),)).start()
    tokentrail_usages.wait_for(1)
    current.runtime.deferred.drain(5)
    assert (tenants(tokentrail_usages), spent.input_tokens) == (["acme"], 11)

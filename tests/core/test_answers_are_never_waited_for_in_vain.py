"""`idempotent`: whatever ends a call under way, nobody waits for it for ever, and no other request gets its interruption."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from tokentrail import argument, idempotent
from tokentrail.retrying.transient import is_transient


def by_key(function: Any) -> Any:
    return idempotent(key=argument("key"), tenant_id=lambda **_: "acme")(function)


async def test_a_call_that_was_cancelled_before_its_first_step() -> None:
    @by_key
    async def answer(*, key: str) -> int:
        return 7

    first = asyncio.ensure_future(answer(key="k"))
    await asyncio.sleep(0)
    (call,) = asyncio.all_tasks() - {first, asyncio.current_task()}
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(first, 5)
    assert await asyncio.wait_for(answer(key="k"), 5) == 7, "the key is not lost"


def test_an_interrupted_call_interrupts_nobody_else() -> None:
    calls: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    @by_key
    def answer(*, key: str) -> int:
        calls.append(1)
        if len(calls) == 1:
            begun.set()
            go_on.wait(10)
            raise SystemExit
        return len(calls)

    def leave() -> None:
        with contextlib.suppress(SystemExit):
            answer(key="k")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(leave)
        begun.wait(5)
        second = pool.submit(answer, key="k")
        go_on.set()
        first.result(10)
        assert second.result(10) == 2


def test_a_function_that_asks_itself_does_not_wait_for_itself() -> None:
    @by_key
    def answer(*, key: str, depth: int = 0) -> int:
        return depth or answer(key=key, depth=1)  # type: ignore[no-any-return]

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(answer(key="k")), daemon=True)
    thread.start()
    thread.join(5)
    assert found == [1]


async def test_a_coroutine_that_asks_itself_does_not_wait_for_itself() -> None:
    @by_key
    async def answer(*, key: str, depth: int = 0) -> int:
        return depth or await answer(key=key, depth=1)

    assert await asyncio.wait_for(answer(key="k"), 5) == 1


def test_what_an_sdk_wraps_decides_whether_it_is_tried_again() -> None:
    """openai wraps whatever went wrong while it sent a request, an illegal header too, which comes again."""
    wrapped = openai.APIConnectionError(request=httpx.Request("POST", "http://x"))
    assert is_transient(wrapped)
    wrapped.__cause__ = httpx.LocalProtocolError("Illegal header value")
    assert not is_transient(wrapped)
    wrapped.__cause__ = httpx.ConnectError("x")
    assert is_transient(wrapped)


async def test_a_streamed_response_is_its_callers_alone() -> None:
    from starlette.responses import StreamingResponse

    calls: list[int] = []

    @by_key
    async def answer(*, key: str) -> StreamingResponse:
        calls.append(1)
        await asyncio.sleep(0.01)
        return StreamingResponse(iter(["x"]))

    found = await asyncio.wait_for(asyncio.gather(*(answer(key="k") for _ in range(3))), 10)
    assert len({id(each) for each in found}) == len(calls) == 3


def test_a_generator_that_is_returned_too() -> None:
    @by_key
    def answer(*, key: str) -> Any:
        return iter([1])

    assert [list(answer(key="k")), list(answer(key="k"))] == [[1], [1]]

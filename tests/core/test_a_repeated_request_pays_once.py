"""`idempotent`: one answer for a key, a tenant and a content, however often and however concurrently it is asked for."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.calls import call
from tokentrail import IdempotencyKeyReused, argument, idempotent, track_tokens
from tokentrail.testing import Usages

KEY = argument("key")


@pytest.fixture(autouse=True)
def nothing_is_written(tokentrail_usages: Usages) -> None:
    """Every call is collected: the journal of the process would have a shipper, whose warnings other tests would see."""


class Service:
    """Counts how often it was really asked."""

    def __init__(self, *failures: Exception, pause: float = 0.0) -> None:
        self.failures, self.pause, self.asked = list(failures), pause, 0

    def answer(self, question: str) -> dict[str, Any]:
        self.asked += 1
        call()
        if self.failures:
            raise self.failures.pop(0)
        return {"answer": question, "number": self.asked}


def sync_of(service: Service, **more: Any) -> Any:
    @idempotent(key=KEY, **more)
    def ask(question: str, key: str | None = None) -> dict[str, Any]:
        time.sleep(service.pause)
        return service.answer(question)

    return ask


def async_of(service: Service, **more: Any) -> Any:
    @idempotent(key=KEY, **more)
    async def ask(question: str, key: str | None = None) -> dict[str, Any]:
        await asyncio.sleep(service.pause)
        return service.answer(question)

    return lambda *args, **keywords: asyncio.run(ask(*args, **keywords))


both = pytest.mark.parametrize("make", [sync_of, async_of])


@both
def test_a_key_is_answered_once_and_calls_without_one_each_time(make: Any, tokentrail_usages: Usages) -> None:
    service = Service()
    ask = make(service)
    assert ask("why?", key="k1") is ask("why?", key="k1")
    assert ask("why?", "k2")["number"] == 2
    assert [ask("why?")["number"], ask("why?", key="")["number"], ask("why?", None)["number"]] == [3, 4, 5]
    assert len(tokentrail_usages) == service.asked == 5


@both
def test_keys_of_different_tenants_are_different(make: Any, tokentrail_usages: Usages) -> None:
    service = Service()
    ask = make(service)
    for _repeated in range(3):
        for tenant in ("acme", "globex"):
            with track_tokens(tenant_id=tenant):
                ask("why?", key="k")
        ask("why?", key="k")
    assert sorted(usage.tenant_id for usage in tokentrail_usages) == ["", "acme", "globex"]


def test_the_tenant_may_be_an_argument() -> None:
    service = Service()

    @idempotent(key=KEY, tenant_id=argument("tenant"))
    def ask(tenant: str, key: str) -> int:
        return int(service.answer(tenant)["number"])

    assert [ask("acme", "k"), ask("globex", "k"), ask("acme", "k")] == [1, 2, 1]


@both
def test_a_failure_is_not_kept(make: Any) -> None:
    service = Service(ConnectionError(), KeyError("x"))
    ask = make(service)
    with pytest.raises(ConnectionError):
        ask("why?", key="k")
    with pytest.raises(KeyError):
        ask("why?", key="k")
    assert ask("why?", key="k") is ask("why?", key="k")
    assert service.asked == 3


@both
def test_a_key_with_another_content_is_refused(make: Any) -> None:
    service = Service()
    ask = make(service, content=argument("question"))
    first = ask("why?", key="k")
    with pytest.raises(IdempotencyKeyReused, match="'k'"):
        ask("how?", key="k")
    assert ask("why?", key="k") is first
    assert make(service)("how?", key="k")["number"] == 2


@both
def test_answers_end_with_their_lifetime_and_the_oldest_go_first(make: Any) -> None:
    service = Service()
    short = make(service, lifetime=0.05)
    assert short("q", key="k")["number"] == 1
    time.sleep(0.1)
    assert short("q", key="k")["number"] == 2
    service = Service()
    few = make(service, most=2)
    assert [few("q", key=key)["number"] for key in "abcbca"] == [1, 2, 3, 2, 3, 4]


def test_a_storm_of_threads_pays_once(tokentrail_usages: Usages) -> None:
    service = Service(pause=0.2)
    ask = sync_of(service)
    with ThreadPoolExecutor(20) as pool:
        answers = [future.result() for future in [pool.submit(ask, "why?", key="k") for _ in range(20)]]
    assert all(answer is answers[0] for answer in answers)
    assert len(tokentrail_usages) == service.asked == 1


def test_a_storm_that_fails_is_told_so_and_pays_once() -> None:
    service = Service(ConnectionError("x"), pause=0.2)
    ask = sync_of(service)
    with ThreadPoolExecutor(10) as pool:
        failures = [future.exception() for future in [pool.submit(ask, "why?", key="k") for _ in range(10)]]
    assert {type(failure) for failure in failures} == {ConnectionError}
    assert service.asked == 1


def storm(service: Service, hang_up: int) -> list[Any]:
    """Forty callers of an asynchronous function, of whom the first ones hang up."""

    @idempotent(key=KEY)
    async def ask(question: str, key: str) -> dict[str, Any]:
        await asyncio.sleep(0.2)
        return service.answer(question)

    async def main() -> list[Any]:
        callers = [asyncio.ensure_future(ask("why?", key="k")) for _ in range(40)]
        await asyncio.sleep(0.05)
        for caller in callers[:hang_up]:
            caller.cancel()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        await asyncio.sleep(0.3)
        answers.append(await ask("why?", key="k"))
        return answers

    return asyncio.run(main())


@pytest.mark.parametrize("hang_up", [0, 1, 40])
def test_a_storm_of_tasks_pays_once_whoever_hangs_up(hang_up: int, tokentrail_usages: Usages) -> None:
    service = Service()
    answers = storm(service, hang_up)
    assert [type(answer) for answer in answers] == [asyncio.CancelledError] * hang_up + [dict] * (41 - hang_up)
    assert len(tokentrail_usages) == service.asked == 1


def test_nobody_hears_of_a_failure_whose_callers_have_hung_up(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(ConnectionError())
    answers = storm(service, 40)
    gc.collect()
    assert service.asked == 2
    assert isinstance(answers[-1], dict)
    assert caplog.text == ""


def test_two_loops_share_an_answer() -> None:
    service = Service()
    begun = threading.Event()

    @idempotent(key=KEY)
    async def ask(question: str, key: str) -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(0.2)
        return service.answer(question)

    found: list[Any] = []
    other = threading.Thread(target=lambda: found.append(asyncio.run(ask("why?", key="k"))))
    other.start()
    assert begun.wait(10)
    found.append(asyncio.run(ask("why?", key="k")))
    other.join()
    assert found[0] is found[1]
    assert service.asked == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_waits_for_nobody_of_its_parent() -> None:
    service, begun, go_on = Service(), threading.Event(), threading.Event()

    @idempotent(key=KEY)
    def ask(question: str, key: str) -> dict[str, Any]:
        begun.set()
        go_on.wait(20)
        return service.answer(question)

    ask_at_once = threading.Thread(target=ask, args=("why?", "k"))
    ask_at_once.start()
    assert begun.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        go_on.set()
        ask("why?", "k")
        os._exit(0)
    go_on.set()
    ask_at_once.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_callable_that_fails_costs_only_the_repetition(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()

    @idempotent(key=lambda question: question["a secret"])
    def ask(question: str) -> dict[str, Any]:
        return service.answer(question)

    assert [ask("why?")["number"], ask("why?")["number"]] == [1, 2]
    assert "a secret" not in caplog.text


def words() -> Iterator[str]:
    yield "x"


async def words_async() -> AsyncIterator[str]:
    yield "x"


@pytest.mark.parametrize("wrong", [words, words_async, Service, 7])
def test_a_stream_is_collected_first(wrong: Any) -> None:
    with pytest.raises(TypeError, match="idempotent decorates"):
        idempotent(key=lambda: "k")(wrong)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"key": "k"}, TypeError),
        ({"key": None}, TypeError),
        ({"key": KEY, "tenant_id": "acme"}, TypeError),
        ({"key": KEY, "lifetime": 0}, ValueError),
        ({"key": KEY, "lifetime": float("nan")}, ValueError),
        ({"key": KEY, "most": 0}, ValueError),
        ({"key": KEY, "most": 1.5}, ValueError),
    ],
)
def test_wrong_values_stop_the_decorator(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="idempotent"):
        idempotent(**wrong)


def test_a_parameter_that_is_not_there_stops_the_decorator() -> None:
    with pytest.raises(TypeError, match="no such parameter"):
        idempotent(key=argument("request_id"))(words_of_nothing)


def words_of_nothing(question: str) -> str:
    return question

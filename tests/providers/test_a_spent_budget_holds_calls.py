"""A call within a block whose budget is spent warns, or raises before anything is sent; what is not known holds no call."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

import tokentrail
from tests.support.forked import exit_code_of_child
from tests.support.ledger_rows import usage
from tests.support.scripted import ScriptedServer, chunks, sse
from tests.support.waiting import wait_until
from tokentrail import BudgetExceeded, track_tokens
from tokentrail.attribution import Attribution
from tokentrail.budgets import store
from tokentrail.budgets.budget import Budget
from tokentrail.budgets.guard import Guard, guard
from tokentrail.clickhouse.client import connect
from tokentrail.testing import Usages

ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger in which the budget `spent` is spent, and the budget `much` is not."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path_factory.mktemp("budgets")) as running:
        client = connect(running.addresses.dsn)
        import time

        client.insert_json("usage_landing", [usage(ts=time.time_ns() - 10**9)])
        store.put(client, [Budget("spent", Decimal(10), "year"), Budget("much", Decimal(10**9), "year"), Budget("other", Decimal(1), "year")])
        client.close()
        yield running.addresses.dsn


@pytest.fixture
def watched(ledger: str) -> None:
    """The guard knows the ledger's answer."""
    tokentrail.configure(budget_dsn=ledger, budget_interval=600)
    guard.watch(["spent", "much"])
    wait_until(lambda: guard.age() < 600, "an answer on budgets")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(sse(chunks("lorem ", "ipsum ", usage=True))) as scripted:
        yield scripted


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(server: ScriptedServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


def test_a_call_raises_before_anything_is_sent(watched: None, client: openai.OpenAI, server: ScriptedServer, usages: Usages) -> None:
    with track_tokens("chat", budget="spent", over_budget="raise"):
        with pytest.raises(BudgetExceeded, match="budget spent is spent: 15 of 10 tokens, until 20") as raised:
            client.chat.completions.create(**ASK)
        with pytest.raises(BudgetExceeded):
            client.chat.completions.create(**STREAM)
        with track_tokens("query"), pytest.raises(BudgetExceeded):
            client.chat.completions.create(**STREAM)
    assert (raised.value.budget, raised.value.spent, raised.value.amount, raised.value.currency) == ("spent", 15, 10, "")
    assert server.asked == []
    assert not usages.recorded
    list(client.chat.completions.create(**STREAM))
    assert len(usages.recorded) == 1


async def test_an_async_call_raises_too(watched: None, async_client: openai.AsyncOpenAI, server: ScriptedServer, usages: Usages) -> None:
    @track_tokens(operation="chat", budget=["much", "spent"], over_budget="raise")
    async def work() -> None:
        await async_client.chat.completions.create(**STREAM)

    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            await work()
    assert server.asked == []
    assert not usages.recorded


def test_a_budget_that_is_left_holds_no_call(watched: None, client: openai.OpenAI, usages: Usages) -> None:
    with track_tokens("chat", budget=("much", "unknown"), over_budget="raise"):
        list(client.chat.completions.create(**STREAM))
    assert len(usages.recorded) == 1


def test_a_warning_is_logged_and_the_call_is_made(watched: None, client: openai.OpenAI, usages: Usages, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tokentrail"), track_tokens("chat", budget="spent"):
        for _ in range(3):
            list(client.chat.completions.create(**STREAM))
    assert len(usages.recorded) == 3
    assert [record.getMessage().partition(", until")[0] for record in caplog.records] == ["tokentrail: budget spent is spent: 15 of 10 tokens"]


def test_what_is_too_old_holds_no_call(watched: None, client: openai.OpenAI, usages: Usages) -> None:
    tokentrail.configure(budget_max_age=1e-9)
    with track_tokens("chat", budget="spent", over_budget="raise"):
        list(client.chat.completions.create(**STREAM))
    assert len(usages.recorded) == 1


def test_what_is_turned_off_holds_no_call(watched: None, client: openai.OpenAI, server: ScriptedServer) -> None:
    tokentrail.configure(disabled=True)
    with track_tokens("chat", budget="spent", over_budget="raise"):
        list(client.chat.completions.create(**STREAM))
    assert len(server.asked) == 1


def test_an_inner_block_may_say_otherwise(watched: None, client: openai.OpenAI, usages: Usages) -> None:
    @track_tokens(budget="spent", over_budget="raise")
    def words() -> Iterator[str]:
        with track_tokens("chat", budget="spent", over_budget="warn"):
            yield from (str(chunk) for chunk in client.chat.completions.create(**STREAM))
        yield from (str(chunk) for chunk in client.chat.completions.create(**STREAM))

    with pytest.raises(BudgetExceeded):
        list(words())
    assert len(usages.recorded) == 1


def test_without_an_address_no_budget_is_looked_at(client: openai.OpenAI, usages: Usages) -> None:
    with track_tokens("chat", budget="never asked for", over_budget="raise"):
        list(client.chat.completions.create(**STREAM))
    assert len(usages.recorded) == 1


def test_a_forked_child_knows_what_its_parent_knew_and_asks_for_more(watched: None, client: openai.OpenAI) -> None:
    def promise() -> bool:
        with track_tokens("chat", budget="spent", over_budget="raise"):
            try:
                client.chat.completions.create(**STREAM)
            except BudgetExceeded:
                pass
            else:
                return False
        guard.watch(["other"])
        with track_tokens("chat", budget="other", over_budget="raise"):

            def is_held() -> bool:
                try:
                    list(client.chat.completions.create(**STREAM))
                except BudgetExceeded:
                    return True
                return False

            return wait_until(is_held, "the child's own answer")

    assert exit_code_of_child(promise) == 0


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"budget": ""}, TypeError, "budget is the name of a budget, or a list of names"),
        ({"budget": []}, TypeError, "budget is the name of a budget"),
        ({"budget": 5}, TypeError, "budget is the name of a budget"),
        ({"budget": "a", "over_budget": "stop"}, ValueError, "over_budget is 'stop': write 'warn' or 'raise'"),
        ({"over_budget": "raise"}, TypeError, "over_budget needs budget"),
    ],
)
def test_wrong_arguments_are_refused_at_once(given: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        track_tokens("chat", **given)


def test_a_server_that_takes_and_never_answers_is_given_up_in_time(client: openai.OpenAI, usages: Usages) -> None:
    from tokentrail.process.current import current

    with socket.create_server(("127.0.0.1", 0)) as hole:
        tokentrail.configure(budget_dsn=f"http://127.0.0.1:{hole.getsockname()[1]}/x", budget_interval=600, budget_max_age=0.5)
        guard.watch(["in a hole"])
        with track_tokens("chat", budget="in a hole", over_budget="raise"):
            list(client.chat.completions.create(**STREAM))
        wait_until(lambda: current.runtime.diagnostics.internal_errors.pop("budgets", 0), "the error is counted")
    assert len(usages.recorded) == 1


def test_a_thread_that_was_interrupted_is_replaced(client: openai.OpenAI) -> None:
    asked = []

    def interrupted(_dsn: str, _names: Any) -> Any:
        asked.append(1)
        raise SystemExit  # ends a thread silently; gevent's Timeout is no Exception either

    tokentrail.configure(budget_dsn="http://127.0.0.1:1/none", budget_interval=600)
    own = Guard(interrupted)
    own.watch(["spent"])

    def is_replaced() -> bool:
        own.check(Attribution(budgets={"spent": "raise"}))
        return len(asked) > 2

    wait_until(is_replaced, "another thread")


def test_an_address_where_nobody_answers_disturbs_no_call(client: openai.OpenAI, usages: Usages, tmp_path: Path) -> None:
    from tokentrail.process.current import current

    tokentrail.configure(budget_dsn="http://127.0.0.1:1/none", budget_interval=600)

    def refused(_dsn: str, _names: Any) -> Any:
        raise OSError("nobody answers")

    own = Guard(refused)
    own.watch(["spent"])
    wait_until(lambda: current.runtime.diagnostics.internal_errors.pop("budgets", 0), "the error is counted")
    own.check(None)
    with track_tokens("chat"):
        list(client.chat.completions.create(**STREAM))
    assert len(usages.recorded) == 1

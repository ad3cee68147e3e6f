"""Reading collected usages waits for abandoned streams and estimates; what comes late stays in its own collection, and out of the journal."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import groq
import ollama
import openai
import pytest

import tokentrail
from tests.support.calls import a_request, an_answer, journal_of
from tests.support.forked import exit_code_of_child
from tests.support.waiting import wait_until
from tokentrail.counting import estimator
from tokentrail.instrumentation.registry import instrument, uninstrument
from tokentrail.process.current import current
from tokentrail.recording import recorder
from tokentrail.recording.delivery import Memory
from tokentrail.testing import ReplayServer, Usages, collect_usages
from tokentrail.testing import usages as collecting

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]
UNSTATED: dict[str, Any] = {"model": "gpt-4", "input_tokens": None, "output_tokens": None, "output_texts": ["four five"]}


def begin() -> recorder.Call:
    call = recorder.start(a_request("one two three", model="gpt-4", stream=True))
    assert call is not None
    return call


def record(call: recorder.Call | None = None) -> None:
    """A call whose provider states no counts."""
    (call or begin()).finish(an_answer(**UNSTATED))


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path) -> Iterator[None]:
    before = current.settings
    tokentrail.configure(journal_dir=tmp_path / "journal", ship=False, estimate=True)
    yield
    tokentrail.configure(**{name: getattr(before, name) for name in ("journal_dir", "ship", "estimate")})


class Gate:
    """Holds up counting until it is opened."""

    def __init__(self) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.reached.set()
        assert self.opened.wait(30)
        return COUNT(*args, **kwargs)


COUNT = estimator.count_tokens


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    held = Gate()
    monkeypatch.setattr(estimator, "count_tokens", held)
    yield held
    held.opened.set()
    assert current.runtime.drain_estimates(30)


READERS: dict[str, Callable[[Usages], Any]] = {
    "length": lambda usages: [None] * len(usages),
    "index": lambda usages: [usages[0].input_tokens],
    "slice": lambda usages: [usage.input_tokens for usage in usages[:]],
    "iteration": lambda usages: [usage.input_tokens for usage in usages],
    "sum": lambda usages: [usages.input_tokens],
    "groups": lambda usages: [group.input_tokens for group in usages.by("tenant_id").values()],
    "pick": lambda usages: [usage.input_tokens for usage in usages.where(request_model="gpt-4")],
    "records": lambda usages: [usages.recorded[-1].input_tokens],
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_reading_waits_for_an_estimate(read: Callable[[Usages], Any], gate: Gate) -> None:
    with collect_usages() as usages:
        record()
        assert gate.reached.wait(30)
        opener = threading.Timer(0.05, gate.opened.set)
        opener.start()
        found = read(usages)
        assert gate.opened.is_set()
        assert found in ([None], [COUNT([{"role": "user", "content": "one two three"}], model="gpt-4", provider="openai")])
        assert usages[0].source == "estimated"
        opener.join()


@pytest.fixture
def hooks() -> Iterator[None]:
    instrument()
    yield
    uninstrument()


@pytest.mark.parametrize("sdk", ["openai", "groq", "ollama"])
def test_reading_waits_for_a_stream_that_nobody_reads_any_more(sdk: str, hooks: None) -> None:
    with ReplayServer() as server, collect_usages() as usages:
        url = server.url(sdk)
        client: Any
        if sdk == "ollama":
            client = ollama.Client(host=url)
            stream = iter(client.chat(model="llama3", messages=MESSAGES, stream=True))
        else:
            client = (openai.OpenAI if sdk == "openai" else groq.Groq)(base_url=url, api_key="none")
            stream = iter(client.chat.completions.create(model="any", messages=MESSAGES, stream=True))
        gc.collect()
        gc.disable()  # it must not come to our help
        try:
            next(stream)
            del stream
            assert [usage.ended for usage in usages] == ["partial"]
        finally:
            gc.enable()


async def test_an_async_stream_that_was_left_is_waited_for(hooks: None) -> None:
    with ReplayServer() as server, collect_usages() as usages:
        async with openai.AsyncOpenAI(base_url=server.url("openai"), api_key="none") as client:
            stream = await client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
            async for _ in stream:
                break
            del stream
            await usages.wait_for_async(1, timeout=20)
            assert [usage.ended for usage in usages] == ["partial"]


def test_a_late_estimate_is_never_in_the_next_collection_nor_in_the_journal(gate: Gate, tmp_path: Path) -> None:
    recorder.start(a_request("stated")).finish(an_answer())  # type: ignore[union-attr] # the journal's record number 1
    with collect_usages() as first:
        record()
        assert gate.reached.wait(30)
    with collect_usages() as second:
        gate.opened.set()
        assert current.runtime.drain_estimates(30)
        assert len(second.recorded) == 0
    assert [usage.source for usage in first] == ["estimated"]
    assert [usage.input_tokens for _, _, usage in journal_of(tmp_path / "journal")] == [11]


def test_a_late_estimate_of_the_journal_is_never_in_a_collection(gate: Gate, tmp_path: Path) -> None:
    record()
    assert gate.reached.wait(30)
    with collect_usages() as usages:
        gate.opened.set()
        assert current.runtime.drain_estimates(30)
        assert len(usages) == 0
    assert [usage.source for _, _, usage in journal_of(tmp_path / "journal")] == ["unknown", "estimated"]


def test_a_late_stream_stays_in_the_collection_in_which_it_began() -> None:
    with collect_usages() as outer:
        begun_outside = begin()
        with collect_usages() as inner:
            begun_inside = begin()
            record(begun_outside)
        begun_inside.finish_later(an_answer(**UNSTATED))
        assert current.runtime.deferred.drain(30)
        with collect_usages() as next_one:
            record()
        assert [len(usages) for usages in (outer, inner, next_one)] == [1, 1, 1]
        assert [usage.source for usage in (outer[0], inner[0], next_one[0])] == ["estimated"] * 3


def test_threads_that_do_the_work_do_not_wait_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "PATIENCE", 120.0)  # who waits for itself is still waiting at this test's deadline
    seen: list[int] = []
    with collect_usages() as usages:
        record()
        usages.settle(30)
        append = usages.append

        def read_within(usage: Any) -> None:
            append(usage)
            seen.append(len(usages))

        current.runtime.delivery = Memory(read_within, current.runtime.estimate)
        begin().finish_later(an_answer())  # in the finisher's thread
        wait_until(lambda: seen == [2], "the finisher's thread has read", deadline_s=20, every_s=0.01)
        record()  # in this thread, and in the estimator's
        wait_until(lambda: seen[-1:] == [3] and len(seen) == 3, "the estimator's thread has read", deadline_s=20, every_s=0.01)


def test_patience_ends_with_a_sentence(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "PATIENCE", 0.02)

    async def read(usages: Usages) -> int:
        return len(usages)

    with collect_usages() as usages:
        record()
        with pytest.raises(AssertionError, match=r"still being counted after 0\.02 s \(settle\(timeout=…\) waits longer\): <Usages 1: "):
            asyncio.run(read(usages))
        with pytest.raises(AssertionError, match=r"still being counted after 0\.01 s"):
            usages.settle(0.01)
        assert repr(usages).startswith("<Usages 1: "), "showing usages never waits"
        assert usages.wait_for(1, timeout=0.01) is usages
        gate.opened.set()
        assert usages.settle(30)[0].source == "estimated"


def test_collections_of_threads_may_end_in_any_order(tmp_path: Path) -> None:
    first, second = collect_usages(), collect_usages()
    one, other = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    record()
    second.__exit__(None, None, None)
    assert (len(one), len(other)) == (0, 1)
    record()
    assert (len(one), len(other)) == (0, 1)
    assert current.runtime.drain_estimates(30)
    assert len(journal_of(tmp_path / "journal")) == 2


def test_a_forked_child_can_record_whatever_its_parent_was_doing() -> None:
    with collect_usages() as usages:
        record()
        usages.settle(30)
        locked, done = threading.Event(), threading.Event()
        [lock] = [value for value in vars(usages).values() if isinstance(value, threading.Condition)]

        def hold() -> None:
            with lock:
                locked.set()
                done.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        assert locked.wait(30)

        def child() -> bool:
            record()
            return len(usages.wait_for(2, timeout=10)) == 2

        try:
            assert exit_code_of_child(child) == 0
        finally:
            done.set()
            holder.join()

from __future__ import annotations

import _thread
import gc
import logging
import os
import sys
import threading
import weakref
from collections.abc import Iterator

import pytest

from tests.support.forked import exit_code_of_child
from tests.support.waiting import wait_until
from tokentrail.counting.estimator import Estimator
from tokentrail.process.current import current
from tokentrail.recording.delivery import Texts
from tokentrail.recording.runtime import Runtime
from tokentrail.usage import Usage

CALL = Usage(key="k", call=1, ts=1, request_model="claude-haiku-4-5", gen_ai_operation="chat")


class Gate:
    """An `append` that waits until it is let through, so that a test decides what is pending."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.appended: list[Usage] = []

    def __call__(self, usage: Usage) -> None:
        self.entered.set()
        assert self.open.wait(30)
        self.appended.append(usage)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


def test_what_is_submitted_is_appended_completed_and_drained() -> None:
    appended: list[Usage] = []
    estimator = Estimator(appended.append)
    assert estimator.drain(0), "nothing was submitted: there is nothing to wait for"
    for number in range(50):
        estimator.submit(Usage(key=str(number), call=number + 1, ts=1, request_model="m"), ["a" * 8], ["b" * 4])
    assert estimator.drain(20)
    assert [(usage.key, usage.call, usage.input_tokens, usage.output_tokens) for usage in appended] == [
        (str(number), number + 1, 2, 1) for number in range(50)
    ]
    assert (estimator.dropped, estimator.failed) == (0, 0)


def test_no_thread_runs_before_something_is_submitted() -> None:
    before = len(sys._current_frames())
    estimators = [Estimator(lambda usage: None) for _ in range(20)]
    assert len(sys._current_frames()) == before
    assert all(estimator.drain(0) for estimator in estimators)


def test_calls_beyond_the_bound_are_dropped_and_counted(gate: Gate) -> None:
    estimator = Estimator(gate, max_pending=3)
    for _ in range(10):
        estimator.submit(CALL, ["a"], ["b"])
    assert estimator.dropped == 7
    gate.open.set()
    assert estimator.drain(20)
    assert len(gate.appended) == 3
    estimator.submit(CALL, ["a"], ["b"])
    assert estimator.drain(20)
    assert len(gate.appended) == 4, "room that was made is used"


def test_characters_beyond_the_bound_are_dropped_and_counted(gate: Gate) -> None:
    estimator = Estimator(gate, max_pending_chars=1000)
    estimator.submit(CALL, ["a" * 1001], [""])
    estimator.submit(CALL, ["a" * 500], ["b" * 400])
    assert gate.entered.wait(20)
    estimator.submit(CALL, ["a" * 101], [])  # what is being counted still has its text
    assert estimator.dropped == 2
    gate.open.set()
    assert estimator.drain(20)
    assert len(gate.appended) == 1


def test_drops_are_said_once_a_minute(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    estimator = Estimator(gate, max_pending=1)
    for _ in range(6):
        estimator.submit(CALL, ["a"], ["b"])
    gate.open.set()
    assert estimator.drain(20)
    for _ in range(20):
        estimator.submit(CALL, ["a"], ["b"])
    assert estimator.drain(20)
    said = [record.getMessage() for record in caplog.records if "without an estimate" in record.getMessage()]
    assert len(said) == 1
    assert "5 usages" in said[0]


def test_a_log_that_fails_stops_no_later_estimate(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_record: object) -> bool:
        raise ConnectionError("the log's server is away")

    logger = logging.getLogger("tokentrail")
    monkeypatch.setattr(logger, "filters", [fails])
    estimator = Estimator(gate, max_pending=1)
    estimator.submit(CALL, ["a"], ["b"])
    assert gate.entered.wait(20)
    estimator.submit(CALL, ["a"], ["b"])
    gate.open.set()
    assert estimator.drain(20)
    assert (len(gate.appended), estimator.dropped) == (1, 1)
    estimator.submit(CALL, ["a"], ["b"])
    assert estimator.drain(20)
    assert len(gate.appended) == 2


def test_no_text_is_kept_after_it_was_counted() -> None:
    class Text(str):  # a plain str cannot be watched
        __slots__ = ("__weakref__",)

    appended: list[Usage] = []
    estimator = Estimator(appended.append)
    prompt, answer = Text("a prompt"), Text("an answer")
    gone = [weakref.ref(prompt), weakref.ref(answer)]
    estimator.submit(CALL, [prompt], [answer])
    del prompt, answer

    def collected() -> bool:  # without a drain: nothing else may be needed to let go of the last text
        gc.collect()
        return all(reference() is None for reference in gone)

    wait_until(collected, "both texts gone", every_s=0.01)
    assert len(appended) == 1


def test_a_failing_append_is_counted_and_the_next_usage_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    appended: list[Usage] = []

    def append(usage: Usage) -> None:
        if usage.key == "bad":
            raise SystemExit("secret prompt")
        appended.append(usage)

    estimator = Estimator(append)
    for key in ("bad", "good"):
        estimator.submit(Usage(key=key, ts=1), ["a"], ["b"])
    assert estimator.drain(20)
    assert [usage.key for usage in appended] == ["good"]
    assert estimator.failed == 1
    assert "secret" not in caplog.text


def test_an_estimate_that_is_lost_is_an_internal_error_and_its_text_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """What a service sees in its metrics: errors in the estimator's thread, and of texts that are none."""

    def append(_usage: Usage) -> None:
        raise RuntimeError("secret prompt")

    runtime = Runtime(current.settings)
    errors = runtime.diagnostics.internal_errors
    runtime.estimate(CALL, Texts(("secret prompt",), ("a",)), append, lambda: None)
    assert runtime.drain_estimates(20)
    assert errors == {"counting": 1}
    assert "RuntimeError in counting" in caplog.text
    runtime.estimate(CALL, Texts((5,), ()), append, lambda: None)  # type: ignore[arg-type]
    assert errors == {"counting": 2}
    assert "secret" not in caplog.text


def test_a_settling_that_fails_stops_no_later_estimate() -> None:
    def settle() -> None:
        raise RuntimeError("a disk is full")

    appended: list[Usage] = []
    estimator = Estimator(appended.append)
    estimator.submit(CALL, ["a"], ["b"], None, settle)
    estimator.submit(CALL, ["a"], ["b"])
    assert estimator.drain(20)
    assert (len(appended), estimator.failed) == (2, 1)


@pytest.mark.parametrize("texts", [None, 5, [None], ["a", 5], [b"bytes"]])
def test_no_argument_makes_submit_raise(texts: object) -> None:
    appended: list[Usage] = []
    estimator = Estimator(appended.append)
    estimator.submit(CALL, texts, texts)  # type: ignore[arg-type]
    assert estimator.drain(20)
    assert appended == []
    assert estimator.failed == 1


def test_finalizers_may_submit_between_any_two_steps() -> None:
    """Abandoned streams are collected in the middle of whatever their thread does, the estimator's own steps included."""
    appended: list[Usage] = []
    estimator = Estimator(appended.append, max_pending=100_000)

    class Abandoned:
        def __init__(self) -> None:
            self.itself = self  # only the collector can end it

        def __del__(self) -> None:
            estimator.submit(CALL, ["a prompt"], ["an answer"])

    made, thresholds = 0, gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        for _ in range(3000):
            Abandoned()
            estimator.submit(CALL, ["a prompt"], ["an answer"])
            made += 2
    finally:
        gc.set_threshold(*thresholds)

    def all_appended() -> bool:
        gc.collect()  # does nothing while the counting thread collects: hence again, until all are gone
        return estimator.drain(1) and len(appended) == made

    wait_until(all_appended, "all appended", every_s=0.01)
    assert (estimator.dropped, estimator.failed) == (0, 0)


def test_many_threads_submit_and_one_counts() -> None:
    appended: list[str] = []
    estimator = Estimator(lambda usage: appended.append(f"{usage.key}@{threading.get_ident()}"), max_pending=100_000)

    def submit(thread: int) -> None:
        for number in range(200):
            estimator.submit(Usage(key=f"{thread}-{number}", ts=1), ["a"], ["b"])

    threads = [threading.Thread(target=submit, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert estimator.drain(30)
    assert len({entry.split("@")[0] for entry in appended}) == len(appended) == 1600
    assert len({entry.split("@")[1] for entry in appended}) == 1


def test_drain_gives_up_in_time(gate: Gate) -> None:
    estimator = Estimator(gate)
    estimator.submit(CALL, ["a"], ["b"])
    assert gate.entered.wait(20)
    assert estimator.drain(0.05) is False, "what it waits for has not come"
    gate.open.set()
    assert estimator.drain(20)


def test_a_thread_that_cannot_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object) -> int:
        raise RuntimeError("can't start new thread")

    appended: list[Usage] = []
    estimator = Estimator(appended.append)
    with monkeypatch.context() as patch:
        patch.setattr(_thread, "start_new_thread", refused)
        estimator.submit(CALL, ["a"], ["b"])
    assert estimator.failed == 0
    estimator.submit(CALL, ["a"], ["b"])
    assert estimator.drain(20)
    assert len(appended) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a platform without fork")
def test_a_forked_child_counts_its_own_and_not_its_parents(gate: Gate) -> None:
    estimator = Estimator(gate)
    for _ in range(3):
        estimator.submit(CALL, ["a"], ["b"])
    assert gate.entered.wait(20)

    def only_its_own() -> bool:
        estimator.reset_after_fork()
        gate.open.set()
        estimator.submit(Usage(key="child", ts=1), ["a"], ["b"])
        return estimator.drain(20) and [usage.key for usage in gate.appended] == ["child"]

    assert exit_code_of_child(only_its_own) == 0
    gate.open.set()
    assert estimator.drain(20)
    assert [usage.key for usage in gate.appended] == ["k"] * 3

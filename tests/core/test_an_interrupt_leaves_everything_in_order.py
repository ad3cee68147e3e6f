"""Ctrl-C at a bad moment (a fork, the end of a collection, the start of a thread, the first use) takes nothing from later calls."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokentrail.counting.estimator import Estimator
from tokentrail.process import deferred, threads
from tokentrail.process.current import Current
from tokentrail.recording import runtime as recording
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings
from tokentrail.testing import collect_usages
from tokentrail.usage import Usage

FORKS = """
import os, signal, threading
import tokentrail
from tokentrail.process.forks import guard

def interrupt(*_): raise KeyboardInterrupt

tokentrail.count_tokens("one", model="m")
signal.signal(signal.SIGALRM, interrupt)
done = 0
while done < 300:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0005)
        child = os.fork()
        if child == 0: os._exit(0)
        os.waitpid(child, 0)
        done += 1
    except (KeyboardInterrupt, ChildProcessError):
        done += 1
    finally:
        while True:
            try: signal.setitimer(signal.ITIMER_REAL, 0); break
            except KeyboardInterrupt: pass
free = []
thread = threading.Thread(target=lambda: free.append(guard.lock.acquire(timeout=5)))
thread.start(); thread.join()
os.write(1, str(free).encode())
os._exit(0)
"""

CHILD = """
import os
import tokentrail
from tokentrail.process import mutexes
from tokentrail.process.current import current

def track(): tokentrail.track_token_usage(token_type="llm", operation="query", provider="p", model="m", input_tokens=1)

track()
parent, renew = current.runtime.journal.writer_id(), mutexes.renew_all
def interrupted():
    mutexes.renew_all = renew
    raise KeyboardInterrupt
mutexes.renew_all = interrupted
child = os.fork()
if child == 0:
    track()
    os.write(1, str(current.runtime.journal.writer_id() != parent).encode())
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_fork_does_not_keep_the_lock_of_imports(run_python: Callable[..., str]) -> None:
    assert "[True]" in run_python(FORKS)


def test_a_child_that_was_interrupted_is_a_writer_of_its_own(run_python: Callable[..., str], tmp_path: Path) -> None:
    assert "True" in run_python(CHILD, TOKENTRAIL_JOURNAL_DIR=str(tmp_path), TOKENTRAIL_SHIP="false")


def test_calls_after_a_collection_belong_to_the_journal(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_timeout: float) -> bool:
        raise KeyboardInterrupt

    def collect() -> None:
        with collect_usages():
            monkeypatch.setattr(deferred.Deferred, "drain", lambda _self, timeout: interrupted(timeout))

    with pytest.raises(KeyboardInterrupt):
        collect()
    monkeypatch.undo()
    assert runtime.delivery is runtime.journal


def interrupted(*_: Any) -> int:
    raise KeyboardInterrupt


def test_an_estimate_whose_thread_was_not_started_is_done_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator, settled = Estimator(), list[int]()
    monkeypatch.setattr(threads, "start_native", interrupted)
    with pytest.raises(KeyboardInterrupt):
        estimator.submit(Usage(key="1", ts=1), ["a"], ["b"], settle=lambda: settled.append(1))
    monkeypatch.undo()
    estimator.submit(Usage(key="2", ts=1), ["a"], ["b"], settle=lambda: settled.append(2))
    assert estimator.drain(20)
    assert settled[-1] == 2


def test_deferred_work_that_fails_stops_no_later_work() -> None:
    errors, done = list[str](), list[int]()

    def fails() -> None:
        raise RuntimeError("our mistake")

    work = deferred.Deferred(lambda where, error: errors.append(f"{where}: {error}"))
    for action in (fails, lambda: done.append(1), fails, lambda: done.append(2)):
        work.do_later(action)
    assert work.drain(20)
    assert (done, errors) == ([1, 2], ["deferred: our mistake"] * 2)


def test_deferred_work_whose_thread_was_not_started_is_done_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    work, done = deferred.Deferred(lambda *_: None), list[int]()
    work.do_later(lambda: done.append(1))
    monkeypatch.setattr(threads, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work.start()
    monkeypatch.undo()
    work.do_later(lambda: done.append(2))
    work.start()
    assert work.drain(20)
    assert done == [1, 2]


def test_settings_that_change_amid_the_first_use_are_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Current()

    class Interrupted(Runtime):
        def __init__(self, settings: Settings) -> None:
            super().__init__(settings)
            own.configure({"tenant_id": "from a signal handler"})

    monkeypatch.setattr(recording, "Runtime", Interrupted)
    assert own.runtime.settings is own.settings
    assert own.settings.tenant_id == "from a signal handler"


def test_a_stream_that_cannot_be_ended_takes_nothing_from_the_rest_of_the_end(runtime: Runtime) -> None:
    class Broken:
        def end(self) -> None:
            raise ValueError

    stream, done = Broken(), []
    runtime.streams.refs[id(stream)] = weakref.ref(stream)
    runtime.deferred.do_later(lambda: done.append(True))
    runtime.close()
    assert done == [True]
    assert runtime.diagnostics.internal_errors == {"runtime.close": 1}

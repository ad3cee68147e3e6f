"""`flush` is true only if the Collector has acknowledged all, and comes back in time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.journal import adopt, append, usage, writer
from tests.support.otlp_receiver import Otlp, Record, cut, hang, ok, refuses, status
from tests.support.waiting import wait_until
from tokentrail import semconv
from tokentrail.journal.background import Background
from tokentrail.journal.records import encode
from tokentrail.journal.writer import Writer
from tokentrail.retrying.policy import RetryPolicy
from tokentrail.settings import Settings

AWAY = "http://127.0.0.1:9/v1/logs"


@pytest.fixture
def begin(root: Path) -> Iterator[Callable[..., tuple[Writer, Background]]]:
    begun: list[Background] = []

    def start(url: str, policy: RetryPolicy | None = None, **changes: object) -> tuple[Writer, Background]:
        settings = Settings(endpoint=url).with_(**({"ship_interval": 30.0, "adopt_interval": 30.0, "timeout": 5.0} | changes))
        service = writer(root)
        background = Background(service, settings, lambda _sentence: None, policy=policy)
        background.start()
        begun.append(background)
        return service, background

    yield start
    for background in begun:
        background.stop(5)


def test_true_when_all_is_acknowledged(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    service, background = begin(otlp.url)
    assert background.flush(0), "nothing was ever recorded"
    for wanted in (3, 10, 11):
        append(service, wanted - service.last_seq)
        assert background.flush(5)
        assert otlp.numbers(service.writer_id) == list(range(1, wanted + 1)), "true before it was acknowledged"


@pytest.mark.parametrize("reply", [status(503), status(404), status(429, retry_after="60"), cut()], ids=["503", "404", "429", "cut"])
def test_false_in_time_when_it_is_not(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]], reply: object) -> None:
    otlp.policy = lambda _received: reply  # type: ignore[return-value]
    service, background = begin(otlp.url)
    append(service, 3)
    began = time.monotonic()
    assert not background.flush(0.4)
    assert time.monotonic() - began > 0.35


def test_false_in_time_when_nobody_answers(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    release = threading.Event()
    otlp.policy = lambda _received: hang(release)
    service, background = begin(otlp.url)
    append(service, 3)
    assert not background.flush(0.4)
    release.set()
    away, background = begin(AWAY)
    append(away, 3)
    assert not background.flush(0.4)


def test_cuts_short_the_wait_for_a_collector_that_is_back(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    otlp.policy = lambda _received: cut()
    service, background = begin(otlp.url, RetryPolicy(first=600.0, longest=600.0))
    append(service, 3)
    assert not background.flush(0.2)
    assert otlp.requests, "it was tried, and would be again in ten minutes"
    otlp.policy = lambda _received: ok()
    assert background.flush(10)


@pytest.mark.slow
def test_leaves_a_server_in_peace_that_asked_for_it(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    otlp.policy = lambda _received: status(429, retry_after="60")
    service, background = begin(otlp.url)
    append(service, 3)
    assert not background.flush(1.5)
    assert len(otlp.requests) == 1


def test_false_when_a_record_was_put_aside(otlp: Otlp, root: Path, begin: Callable[..., tuple[Writer, Background]]) -> None:
    def bad(record: Record) -> bool:
        return record.attributes.get(semconv.REQUEST_MODEL) == "poison"

    otlp.policy = refuses(bad)
    service, background = begin(otlp.url)
    append(service, 2)
    service.append(encode(usage(3, request_model="poison")))
    assert not background.flush(10)
    assert (root / "aside").is_dir()


def test_false_when_a_record_was_refused_and_nobody_knows(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    service, background = begin(otlp.url)
    append(service, 2)
    assert service.append(bytes(100_000)) == -3
    assert not background.flush(5)
    append(service, 1)
    assert background.flush(5), "now the Collector knows which one was refused"
    assert otlp.refused(service.writer_id) == {3}


def test_waits_for_whoever_ships(root: Path, otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    from tests.support.journal import shipper

    service, background = begin(AWAY, ship=False)
    append(service, 3)
    assert not background.flush(0.2)
    assert shipper(root, otlp).ship_folder(service.folder, live=True).done
    assert background.flush(0)
    append(service, 1)
    service.close()
    assert adopt(root, otlp).done
    assert background.flush(0), "the folder is gone, since all of it is acknowledged"


def file_bytes(folder: Path) -> int:
    """The size of a folder's segments; one may be removed meanwhile."""
    try:
        return sum(path.stat().st_size for path in folder.glob("*.journal"))
    except FileNotFoundError:
        return file_bytes(folder)


def test_a_large_file_that_is_acknowledged_is_left_behind(root: Path, otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    """A hundred idle processes with eight megabytes each would fill the journal with what is long acknowledged."""
    service, background = begin(otlp.url, ship_interval=0.02)
    append(service, 60, metadata="m" * 10_000)
    assert background.flush(10)
    wait_until(lambda: file_bytes(service.folder) < 1000, "the old file is removed", every_s=0.02)
    append(service, 1)
    assert background.flush(10)
    assert otlp.numbers(service.writer_id) == list(range(1, 62))


def test_signals_do_not_disturb_it(otlp: Otlp, begin: Callable[..., tuple[Writer, Background]]) -> None:
    service, background = begin(otlp.url)
    append(service, 3)
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        assert background.flush(10)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

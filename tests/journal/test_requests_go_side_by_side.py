"""Several requests under way: the cursor follows the first that is not accepted, whatever the answers' order; nothing is lost, and little repeated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.journal import AT_ONCE, append, writer
from tests.support.waiting import wait_until
from tokentrail import semconv
from tokentrail.journal import folder as layout
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.bulk import ThreadLanes
from tokentrail.journal.exporter import Outcome, Result
from tokentrail.journal.progress import Progress
from tokentrail.journal.shipper import Shipper

Numbers = list[int]
Answer = Callable[[Numbers], Outcome]
ACCEPTED = Outcome(Result.ACCEPTED)


class Receiver:
    """Answers requests as a test says; knows what was accepted, and how many requests were under way at once."""

    def __init__(self, answer: Answer = lambda _numbers: ACCEPTED) -> None:
        self.answer = answer
        self.requests: list[Numbers] = []
        self.accepted: Numbers = []
        self.under_way = self.most = 0
        self.changed = threading.Condition()

    def take(self, body: bytes) -> Outcome:
        numbers = numbers_in(body)
        with self.changed:
            self.requests.append(numbers)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            self.changed.notify_all()
        outcome = self.answer(numbers)
        with self.changed:
            self.under_way -= 1
            if outcome.result is Result.ACCEPTED:
                self.accepted += numbers
        return outcome


def numbers_in(body: bytes) -> Numbers:
    """The numbers of the usage records of a request; 0 for every other record."""
    found = []
    for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        for record in resource.scope_logs[0].log_records:
            attributes = {pair.key: pair.value for pair in record.attributes}
            found.append(attributes[semconv.SEQ].int_value if semconv.SEQ in attributes else 0)
    return found


class Sender:
    """One exporter: two requests of it at once would share a connection."""

    max_request_bytes = 1_000_000

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._busy = threading.Lock()

    def send(self, body: bytes) -> Outcome:
        assert self._busy.acquire(blocking=False)
        try:
            return self._receiver.take(body)
        finally:
            self._busy.release()


def ship(root: Path, receiver: Receiver, *, width: int = 3, records: int = 10) -> Progress:
    lanes = ThreadLanes([Sender(receiver) for _ in range(width)])
    try:
        ships = Shipper(root, Sender(receiver), lanes=lanes, max_records=records, policy=AT_ONCE)
        return Adopter(ships).adopt_dead(patient=False)
    finally:
        lanes.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The journal of a writer that has ended: 100 records and the closing record."""
    left = writer(tmp_path / "journal")
    append(left, 100)
    left.close()
    return tmp_path / "journal"


def acknowledged(root: Path) -> int:
    folders = layout.writer_folders(root)
    return layout.load_cursor(folders[0]).last_seq if folders else 100


def test_as_many_as_there_are_exporters(root: Path) -> None:
    """The receiver waits until three requests are there: it would wait for ever for a shipper that sends one after the other."""
    receiver = Receiver()

    def wait_for_three(numbers: Numbers) -> Outcome:
        with receiver.changed:
            assert numbers[0] not in (11, 21, 31) or receiver.changed.wait_for(lambda: len(receiver.requests) >= 4, 30)
        return ACCEPTED

    receiver.answer = wait_for_three
    progress = ship(root, receiver)
    assert (progress.done, progress.shipped) == (True, 100)
    assert receiver.most == 3
    assert sorted(receiver.accepted) == [0, *range(1, 101)]


def test_the_cursor_waits_for_the_first(root: Path) -> None:
    receiver, go = Receiver(), threading.Event()

    def first_is_slow(numbers: Numbers) -> Outcome:
        assert 11 not in numbers or go.wait(30)
        return ACCEPTED

    receiver.answer = first_is_slow
    thread = threading.Thread(target=ship, args=(root, receiver))
    thread.start()
    wait_until(lambda: len(receiver.accepted) == 30, "the first, the third and the fourth are accepted")
    assert acknowledged(root) == 10
    go.set()
    thread.join(30)
    assert acknowledged(root) == 100
    assert sorted(receiver.accepted) == [0, *range(1, 101)]


@pytest.mark.parametrize("failed", [1, 11, 21, 91])
@pytest.mark.parametrize("result", [Result.UNREACHABLE, Result.MISCONFIGURED])
def test_a_pass_that_fails_repeats_what_was_under_way_at_most(root: Path, failed: int, result: Result) -> None:
    receiver = Receiver(lambda numbers: Outcome(result, "no") if failed in numbers else ACCEPTED)
    progress = ship(root, receiver)
    assert (progress.done, progress.reason) == (False, "no")
    assert acknowledged(root) == failed - 1
    receiver.answer = lambda _numbers: ACCEPTED
    assert ship(root, receiver).done
    assert sorted(set(receiver.accepted)) == [0, *range(1, 101)]
    repeated = len(receiver.accepted) - len(set(receiver.accepted))
    assert repeated <= 2 * 10


@pytest.mark.parametrize("bad", [1, 5, 20, 55, 100])
def test_a_record_that_is_refused_is_put_aside_alone(root: Path, bad: int) -> None:
    receiver = Receiver(lambda numbers: Outcome(Result.REFUSED, "bad") if bad in numbers else ACCEPTED)
    progress = ship(root, receiver)
    assert (progress.done, progress.aside) == (True, 1)
    assert sorted(receiver.accepted) == [0, *(number for number in range(1, 101) if number != bad)]
    assert len([*(root / "aside").glob("*.json")]) == 1


def test_a_server_that_takes_little_is_sent_little(root: Path) -> None:
    receiver = Receiver(lambda numbers: Outcome(Result.BUSY, "full") if len(numbers) > 4 else ACCEPTED)
    assert ship(root, receiver).done
    assert sorted(receiver.accepted) == [0, *range(1, 101)]


def test_answers_in_any_order(root: Path) -> None:
    """Each request is answered after the one behind it, as far as there is one."""
    receiver = Receiver()

    def after_the_next(numbers: Numbers) -> Outcome:
        with receiver.changed:
            receiver.changed.wait_for(lambda: any(number > numbers[-1] for number in receiver.accepted), 0.2)
        return ACCEPTED

    receiver.answer = after_the_next
    assert ship(root, receiver, width=4, records=7).shipped == 100
    assert sorted(receiver.accepted) == [0, *range(1, 101)]
    assert receiver.accepted != sorted(receiver.accepted)


@pytest.mark.parametrize("first", [1, 11])
def test_no_request_outlives_its_pass(root: Path, first: int) -> None:
    """The folder's lock is free after the pass: what is still under way then could be repeated by another process at any time."""
    receiver = Receiver()

    def one_fails(numbers: Numbers) -> Outcome:
        if first in numbers:
            return Outcome(Result.MISCONFIGURED, "no")
        time.sleep(0.3)
        return ACCEPTED

    receiver.answer = one_fails
    lanes = ThreadLanes([Sender(receiver) for _ in range(3)])
    ships = Shipper(root, Sender(receiver), lanes=lanes, max_records=10, policy=AT_ONCE)
    assert not Adopter(ships).adopt_dead(patient=False).done
    assert receiver.under_way == 0
    lanes.close()


def test_a_server_that_accepts_nothing_gets_one_request(root: Path) -> None:
    receiver = Receiver(lambda numbers: Outcome(Result.UNREACHABLE, "no") if 1 in numbers else ACCEPTED)
    for _ in range(3):
        assert not ship(root, receiver).done
    assert receiver.accepted == []


def test_a_connection_that_broke_once_repeats_nothing(root: Path) -> None:
    receiver, broken = Receiver(), []

    def breaks_once(numbers: Numbers) -> Outcome:
        if 31 in numbers and not broken:
            broken.append(True)
            return Outcome(Result.UNREACHABLE, "broken")
        return ACCEPTED

    receiver.answer = breaks_once
    assert ship(root, receiver).shipped == 100
    assert sorted(receiver.accepted) == [0, *range(1, 101)]


@pytest.mark.parametrize("late", [False, True])
def test_a_stop_begins_no_request(root: Path, late: bool) -> None:
    """What is under way is awaited and counts; then the pass is over, with the folder as it is, however much waits, and however the server answers."""
    receiver = Receiver()
    asked: list[bool] = []

    def stop_at_the_fourth(numbers: Numbers) -> Outcome:
        if 31 in numbers:
            asked.append(True)
        return Outcome(Result.UNREACHABLE, "late", late=True) if asked and late else ACCEPTED

    receiver.answer = stop_at_the_fourth
    lanes = ThreadLanes([Sender(receiver) for _ in range(3)])
    ships = Shipper(root, Sender(receiver), lanes=lanes, max_records=10, policy=AT_ONCE, stopped=lambda: bool(asked))
    progress = Adopter(ships).adopt_dead()
    lanes.close()
    assert not progress.done
    assert len(receiver.requests) <= 4 + 2
    assert layout.writer_folders(root)
    asked.clear()
    receiver.answer = lambda _numbers: ACCEPTED
    assert ship(root, receiver).done
    assert set(receiver.accepted) == {0, *range(1, 101)}
    assert late or len(receiver.accepted) == 101

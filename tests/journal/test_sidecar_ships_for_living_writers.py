"""`tokentrail journal ship --watch` beside services that do not ship themselves; of two shippers only one is ever at a folder."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.journal import Program, append, environment, parse_numbers, shipper, writer
from tests.support.otlp_receiver import Otlp, Reply, status
from tests.support.waiting import wait_until
from tokentrail.journal.adoption import Adopter

WATCH = "from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship', '--watch', '--interval', '0.05']; main()"
SERVICE = """
from tests.support.journal_load import *
import sys
for line in sys.stdin:
    tell(*one())
    if "flush" in line:
        from tokentrail.recording import recorder
        print("flushed", recorder.flush(20), flush=True)
"""


def test_drains_the_living_and_the_dead(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    sidecar = start(WATCH, environment(root, otlp.url))  # before the service: the folder is not there yet
    services = [start(SERVICE, environment(root, ship="false"), takes_input=True) for _ in range(2)]
    for service in services:
        for _ in range(10):
            service.send("call")
    wait_until(lambda: len(otlp.taken) == 20, "the living writers' records", every_s=0.02)
    services[0].send("flush")
    wait_until(lambda: "flushed True" in services[0].lines, "flush sees what the sidecar has shipped", every_s=0.02)
    services[0].kill()
    services[1].end_input()
    assert services[1].end() == 0, services[1].errors
    expected = parse_numbers(services[0].lines) | parse_numbers(services[1].lines)
    assert [len(numbers) for numbers in expected.values()] == [11, 10], "a call before each flush too"
    otlp.wait_closed(expected)
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) == numbers
    wait_until(lambda: list(root.iterdir()) == [], "nothing is left", every_s=0.02)
    sidecar.send_signal(signal.SIGTERM)
    assert sidecar.end(5) == 0, sidecar.errors
    assert sidecar.errors == ""


def test_ends_at_once_at_sigterm_also_while_the_collector_is_away(root: Path, start: Callable[..., Program]) -> None:
    service = writer(root)
    append(service, 3)
    sidecar = start(WATCH, environment(root, "http://127.0.0.1:9/v1/logs"))
    wait_until((service.folder / "shipping").exists, "the sidecar is at it", every_s=0.02)
    for number in (signal.SIGTERM, signal.SIGINT):
        sidecar.send_signal(number)
    assert sidecar.end(5) == 0, sidecar.errors
    assert len(list(service.folder.glob("*.journal"))) == 1


def test_two_sidecars_and_a_service_share_a_folder(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """Where nobody dies nothing is sent twice: so never were two at the same folder."""
    sidecars = [start(WATCH, environment(root, otlp.url)) for _ in range(2)]
    services = [
        start("from tests.support.journal_load import spend; spend(threads=2, calls=400)", environment(root, otlp.url, ship=ship, exit_timeout=10))
        for ship in ("true", "false", "true", "false")
    ]
    for service in services:
        assert service.end(60) == 0, service.errors
    expected: dict[str, set[int]] = {}
    for service in services:
        expected |= parse_numbers(service.lines)
    otlp.wait_closed(expected)
    wait_until(lambda: list(root.iterdir()) == [], "nothing is left", every_s=0.02)
    for sidecar in sidecars:
        sidecar.send_signal(signal.SIGTERM)
        assert sidecar.end(10) == 0, sidecar.errors
    assert len(expected) == 4
    for writer_id, numbers in expected.items():
        assert Counter(otlp.numbers(writer_id)) == Counter(numbers)
        assert len(otlp.closings(writer_id)) == 1
        assert not otlp.closings(writer_id)[0]["closed_by"]


def test_a_service_that_ships_itself_is_left_to_it(root: Path, otlp: Otlp) -> None:
    from tokentrail.journal.folder import SHIPPING, Lock

    service = writer(root)
    append(service, 3)
    lock = Lock.take(service.folder / SHIPPING)
    assert lock is not None
    assert Adopter(shipper(root, otlp)).ship_living().shipped == 0
    lock.close()
    assert Adopter(shipper(root, otlp)).ship_living().shipped == 3


def test_waits_for_a_collector_that_comes_back(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    otlp.policy = lambda _received: status(503, retry_after="0")
    service = writer(root)
    append(service, 3)
    sidecar = start(WATCH, environment(root, otlp.url))
    wait_until(lambda: otlp.requests, "a first try", every_s=0.02)
    otlp.policy = Otlp().policy
    wait_until(lambda: otlp.numbers(service.writer_id) == [1, 2, 3], "it is tried again", every_s=0.02)
    sidecar.send_signal(signal.SIGTERM)
    assert sidecar.end(5) == 0
    assert "503" in sidecar.errors


def test_sigterm_begins_no_further_request_however_much_waits(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    """Five dead writers, and a server that takes its time: the request under way is awaited, and the other four journals stay."""
    for _ in range(5):
        left = writer(root)
        append(left, 1)
        left.close()
    slow = threading.Event()
    otlp.policy = lambda _received: Reply(release=slow)
    sidecar = start(WATCH, environment(root, otlp.url))
    wait_until(lambda: len(otlp.requests) == 1, "a request is under way", every_s=0.02)
    sidecar.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    slow.set()
    assert sidecar.end(10) == 0, sidecar.errors
    assert len(otlp.requests) == 1
    assert len(list(root.iterdir())) in (4, 5)

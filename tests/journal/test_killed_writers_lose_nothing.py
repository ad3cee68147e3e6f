"""Every append that has returned arrives, whoever is killed; the closing record states the last number, and no hole appears that nobody meant."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.journal import Program, environment, parse_numbers
from tests.support.otlp_receiver import Otlp, cut
from tests.support.waiting import wait_until

SPEND = "from tests.support.journal_load import spend; spend(threads={threads}, after={after!r})"
SHIP = "from tokentrail.cli import main; import sys; sys.argv = ['tokentrail', 'journal', 'ship']; main()"
LIVE = "from tests.support.journal_load import *; import time; tell(*one()); time.sleep(600)"


def spend_and_kill(start: Callable[..., Program], root: Path, url: str, rounds: int, **settings: object) -> dict[str, set[int]]:
    """Three services at a time, killed in the middle; what they said before that."""
    lines: list[str] = []
    for number in range(rounds):
        go = root.with_name(f"go-{number}")
        services = [start(SPEND.format(threads=threads, after=str(go)), environment(root, url, **settings)) for threads in (1, 2, 3)]
        wait_until(lambda services=services: all(service.lines for service in services), "all are ready", every_s=0.01)
        go.touch()
        for service in random.sample(services, 3):
            wait_until(lambda service=service: len(service.lines) > random.randrange(20, 300), "the service spends", every_s=0.0005)
            service.kill()
            lines += service.lines
    return parse_numbers(lines)


def assert_all_arrived(otlp: Otlp, expected: dict[str, set[int]]) -> None:
    for writer_id, numbers in expected.items():
        arrived = set(otlp.numbers(writer_id))
        assert numbers <= arrived, f"lost: {sorted(numbers - arrived)[:10]}"
        last = max(arrived)
        assert arrived == set(range(1, last + 1)), "a hole that nobody meant"
        for closing in otlp.closings(writer_id):
            assert closing["last_seq"] == last
            assert not closing["damaged"]
            assert closing["closed_by"]


@pytest.mark.parametrize("ship", ["true", "false"])
def test_killed_writers_are_adopted_by_a_living_process(root: Path, otlp: Otlp, start: Callable[..., Program], ship: str) -> None:
    expected = spend_and_kill(start, root, otlp.url, rounds=3, ship=ship)
    assert len(expected) == 9
    alive = start(LIVE, environment(root, otlp.url))
    otlp.wait_closed(expected)
    assert_all_arrived(otlp, expected)
    wait_until(lambda: {path.name for path in root.iterdir()} == set(parse_numbers(alive.lines)), "only the living writer's folder stays")


def test_killed_writers_are_drained_by_the_command(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    expected = spend_and_kill(start, root, otlp.url, rounds=2, ship="false")
    ship = start(SHIP, environment(root, otlp.url))
    assert ship.end() == 0, ship.errors
    assert_all_arrived(otlp, expected)
    assert all(len(otlp.closings(writer_id)) == 1 for writer_id in expected)
    assert list(root.iterdir()) == []


def test_killed_shippers_lose_nothing(root: Path, otlp: Otlp, start: Callable[..., Program]) -> None:
    expected = spend_and_kill(start, root, otlp.url, rounds=1, ship="false", journal_segment_bytes=262144)

    def enough(wanted: int, ship: Program) -> bool:
        return len(otlp.requests) >= wanted or not ship.running

    many = start("from tests.support.journal_load import spend; spend(calls=4000)", environment(root, otlp.url, ship="false"))
    assert many.end() == 0
    expected |= parse_numbers(many.lines)
    for requests in (1, 2, 3):
        # the answer to the last request never comes back, and then the shipper is gone as well
        otlp.script.extend([cut(taken=True)] * 2)
        ship = start(SHIP, environment(root, otlp.url))
        wanted = len(otlp.requests) + requests
        wait_until(partial(enough, wanted, ship), "requests", every_s=0.001)
        ship.kill()
    otlp.script.clear()
    ship = start(SHIP, environment(root, otlp.url))
    assert ship.end() == 0, ship.errors
    for writer_id, numbers in expected.items():
        assert set(otlp.numbers(writer_id)) >= numbers
        assert {closing["last_seq"] for closing in otlp.closings(writer_id)} == {max(otlp.numbers(writer_id))}
    assert list(root.iterdir()) == []

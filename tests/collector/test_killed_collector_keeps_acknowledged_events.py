from __future__ import annotations

import threading

from tests.support.collector import World
from tests.support.otlp import Writer, post
from tests.support.waiting import wait_until

KILLS = 3


class Sender(threading.Thread):
    """Sends without pause, as our shipper does: a request that got no full answer is sent again, byte for byte."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.writer = Writer()
        self.acknowledged = 0
        self.unanswered = 0
        self._url = url
        self._enough = threading.Event()

    def run(self) -> None:
        while not self._enough.is_set():
            request = self.writer.request(100)
            while post(self._url, "logs", request) != 200:
                self.unanswered += 1
                self._enough.wait(0.02)
            self.acknowledged = self.writer.last_seq

    def stop(self) -> None:
        self._enough.set()
        self.join(timeout=60)
        assert not self.is_alive()


def test_gateway_killed_under_load(world: World) -> None:
    store = world.store()
    gateway = world.gateway(store)
    sender = Sender(gateway.otlp_http_url)
    sender.start()
    for _ in range(KILLS):
        goal = sender.acknowledged + 1500
        wait_until(lambda goal=goal: sender.acknowledged >= goal, f"{goal} acknowledged events", every_s=0.005)
        gateway.kill()
        gateway.start()
    sender.stop()
    assert sender.unanswered > 0, "no kill hit a request"

    # all numbers from 1 to the last acknowledged one, each with the count that it was sent with
    last = sender.acknowledged
    expected = [str(last), str(last), str(last * (last + 1) // 2)]
    landed = (
        "SELECT uniqExact(seq), max(seq), sum(tokens) FROM (SELECT toUInt64(LogAttributes['tokentrail.seq']) AS seq,"
        " any(toUInt64(LogAttributes['gen_ai.usage.input_tokens'])) AS tokens FROM usage_landing"
        f" WHERE LogAttributes['tokentrail.writer.id'] = '{sender.writer.writer_id}' GROUP BY seq)"
    )
    wait_until(lambda: store.query(landed)[0] == expected, f"{expected} in the landing table", deadline_s=90)

    # copies may have landed; what everybody reads has each event once
    counted = f"SELECT count(), max(seq), sum(input_tokens) FROM usage WHERE writer_id = '{sender.writer.writer_id}'"
    assert store.query(counted)[0] == expected

from __future__ import annotations

import http.client
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.embedded import ask, new_table, rows
from tests.support.otlp import Writer, post
from tests.support.waiting import wait_until
from tokentrail.embedded.process import ServerProcess

ROWS = 200
KILLS = 3


def insert(server: ServerProcess, table: str, batch: str) -> bool:
    lines = b"".join(b'{"batch": "%b", "n": %d}\n' % (batch.encode(), n) for n in range(ROWS))
    try:
        return ask(server.addresses.http, "POST", "/", lines, database="tokentrail", query=f"INSERT INTO {table} FORMAT JSONEachRow").status == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.timeout(180)
def test_inserts_over_http(start: Callable[..., ServerProcess]) -> None:
    server = start()
    table = new_table(server.addresses, "batch String, n UInt64")
    acknowledged: list[str] = []
    for _ in range(KILLS):
        ended = threading.Event()

        def write(server: ServerProcess = server, ended: threading.Event = ended) -> None:
            while not ended.is_set():
                batch = uuid.uuid4().hex
                if insert(server, table, batch):
                    acknowledged.append(batch)

        before = len(acknowledged)
        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        wait_until(lambda before=before: len(acknowledged) > before + 30, "thirty more batches are acknowledged")
        server.kill()
        ended.set()
        for writer in writers:
            writer.join()
        server = start()
    stored = {row["batch"]: row["n"] for row in rows(server.addresses, f"SELECT batch, count() AS n FROM {table} GROUP BY batch")}
    assert {batch: stored.get(batch) for batch in acknowledged} == dict.fromkeys(acknowledged, ROWS)


@pytest.mark.timeout(120)
def test_usage_over_otlp(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = start()
    writer = Writer()
    acknowledged = 0
    for _ in range(KILLS):
        for _ in range(10):
            first = writer.last_seq + 1
            if post(server.addresses.otlp, "logs", writer.request(50)) == 200:
                acknowledged += sum(range(first, writer.last_seq + 1))
        server.kill()
        server = start()
    assert acknowledged == 500 * KILLS * (500 * KILLS + 1) // 2
    found = rows(server.addresses, f"SELECT sum(input_tokens) AS tokens, sum(calls) AS calls FROM usage WHERE writer_id = '{writer.writer_id}'")
    assert found == [{"tokens": acknowledged, "calls": 500 * KILLS}]

"""Views change under a running receiver: no insert is refused, and every record is in the ledger once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from tests.support.ledger_rows import usage
from tests.support.otlp import Sender
from tests.support.sql_files import add, edit
from tests.support.waiting import wait_until
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.verify import verify

TARGET = Target("tokentrail")
CHANGES = 3


class Inserter(threading.Thread):
    """Inserts blocks of rows through ClickHouse's HTTP interface without pause, each once."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self.failed: Exception | None = None
        self._client = connect(dsn)
        self._enough = threading.Event()

    def run(self) -> None:
        try:
            for first in itertools.count(1, 20):
                if self._enough.is_set():
                    return
                self._client.insert_json("usage_landing", [usage(by="inserter", seq=seq, content=str(seq)) for seq in range(first, first + 20)])
                self.acknowledged += 20
        except Exception as error:
            self.failed = error
        finally:
            self._client.close()

    def stop(self) -> None:
        self._enough.set()
        self.join(timeout=60)
        assert not self.is_alive()


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A receiver in a process of its own: its ledger's address, and OTLP's."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path_factory.mktemp("changing")) as server:
        yield server.addresses.dsn, server.addresses.otlp


def change(client: Client, number: int) -> None:
    """Put the definitions in place as they are, or in other words: every row says by which it came, in two of its columns, from two of the views."""
    with pytest.MonkeyPatch.context() as words:
        if number % 2:
            edit(words, "usage_parse", "tupleElement(said, 'tenant_id') AS", "'changed' AS")
            edit(words, "usage_to_ledger", "attempts, error_type,", "attempts, 'changed' AS error_type,")
            edit(words, "usage", "One row per usage, each", "Each usage")
        add(words, "migrations", "9001_more", f"ALTER TABLE usage_ledger ADD COLUMN IF NOT EXISTS more{number} Int8 COMMENT 'More';")
        # each change brings a column of its own, as a count that comes later does; the history of the change before is forgotten
        client.command("ALTER TABLE migrations DELETE WHERE name = '9001_more' SETTINGS mutations_sync = 1")
        changed = [step.name for step in migrate(client, TARGET)]
        assert changed[0] == "9001_more"
        read = {"usage", "usage_fresh_days"}  # views that are only read come anywhere
        assert [name for name in changed[1:] if name not in read] == ["usage_to_ledger", "usage_parse"]
        assert sorted(name for name in changed if name in read) == sorted(read)
        assert plan(client, TARGET) == []


def test_every_record_counts_once(served: tuple[str, str]) -> None:
    dsn, otlp = served
    client = connect(dsn)
    senders = [Sender(otlp) for _ in range(2)]
    inserter = Inserter(dsn)
    threads = [*senders, inserter]
    for thread in threads:
        thread.start()
    try:
        for number in range(1, CHANGES + 1):
            before = [thread.acknowledged for thread in threads]
            change(client, number)
            wait_until(
                lambda before=before: all(thread.acknowledged > was or not thread.is_alive() for thread, was in zip(threads, before, strict=True)),
                "an insert of everybody after the change",
                deadline_s=60,
            )
    finally:
        for thread in threads:
            thread.stop()
    assert inserter.failed is None  # what is refused or late at the receiver is sent again, as a shipper does; here it would be an error
    sent = {sender.writer.writer_id: sender.acknowledged for sender in senders}
    counted = "SELECT writer_id, count(), sum(calls), uniqExact(seq), max(seq) FROM usage WHERE writer_id IN {ids:Array(String)} GROUP BY writer_id"
    rows = client.query(counted, {"ids": list(sent)}).rows
    assert {row[0]: row[1:] for row in rows} == {name: (number,) * 4 for name, number in sent.items()}
    assert client.query("SELECT sum(calls) FROM usage").rows == [(sum(sent.values()) + inserter.acknowledged,)]
    found = verify(client)
    assert (found.findings, {writer.missing for writer in found.writers}) == ([], {""})
    ways = client.query("SELECT countIf(tenant_id = 'changed'), countIf(error_type = 'changed'), countIf(tenant_id != 'changed') FROM usage").rows
    assert all(ways[0])  # rows came by both
    client.close()

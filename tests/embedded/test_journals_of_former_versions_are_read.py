"""Journals and OTLP requests of former versions, kept as the bytes that they were, end in today's ledger as what they told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support.embedded import ask
from tokentrail.clickhouse.client import Client, connect
from tokentrail.embedded.process import ServerProcess
from tokentrail.journal.adoption import Adopter
from tokentrail.journal.exporter import exporter_for
from tokentrail.journal.shipper import Shipper
from tokentrail.ledger.verify import verify
from tokentrail.settings import Settings

FORMER = Path(__file__).parents[1] / "journal" / "of_former_versions"
BY_TENANT = (
    "SELECT tenant_id, sum(calls), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens) FROM usage GROUP BY tenant_id ORDER BY tenant_id"
)


def total(journals: int) -> list[tuple[object, ...]]:
    """What so many journals tell: the claimed key and its correction, which all of them have, count once."""
    return [("", 0, 0, 0, 4), ("acme", 5 * journals, 1500 * journals, 15 * journals, None), ("naïve", journals, 7 * journals, None, None)]


def ship(folder: Path, endpoint: str) -> None:
    """What `tokentrail journal ship` does with a folder."""
    shipper = Shipper(folder, exporter_for(Settings(endpoint=endpoint)))
    assert Adopter(shipper, name="test").adopt_dead(patient=False).done


def client_of(server: ServerProcess) -> Client:
    return connect(f"{server.addresses.http}/tokentrail")


def test_every_record_counts_as_it_was_told(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = start()
    client = client_of(server)
    folders = sorted(path for path in FORMER.iterdir() if path.is_dir())
    assert len(folders) == 8
    for number, folder in enumerate(folders, 1):
        shutil.copytree(folder, tmp_path / folder.name)
        ship(tmp_path / folder.name, f"{server.addresses.otlp}/v1/logs")
        assert client.query(BY_TENANT).rows == total(number), folder.name
    found = verify(client)
    assert found.findings == []
    assert [(each.service_name, each.writers, each.events, each.closed_by_others) for each in found.completed] == [("former", 8, 64, 4)]
    said = set(client.query("SELECT metadata FROM usage WHERE tenant_id = 'naïve'").rows)
    assert [json.loads(text) for (text,) in said] == [{"team": "a\"b'c\n顧客"}]
    for folder in folders:  # a copy of the same journals, from a former volume: nothing counts twice
        shutil.copytree(folder, tmp_path / "again" / folder.name)
        ship(tmp_path / "again" / folder.name, f"{server.addresses.otlp}/v1/logs")
    assert client.query(BY_TENANT).rows == total(8)
    assert verify(client).findings == []


def test_a_request_of_the_present_wire_schema_is_read_for_ever(start: Callable[..., ServerProcess]) -> None:
    server = start()
    for _ in range(2):
        reply = ask(server.addresses.otlp, "POST", "/v1/logs", (FORMER / "6a1c713.otlp").read_bytes(), {"Content-Type": "application/x-protobuf"})
        assert reply.status == 200
    client = client_of(server)
    assert client.query(BY_TENANT).rows == total(1)
    assert verify(client).findings == []

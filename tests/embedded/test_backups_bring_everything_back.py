"""A backup by ClickHouse's own statement, taken while records arrive, brings every record back that had arrived before the backup."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.embedded import ask
from tests.support.ledger_rows import START_NS, claimed, closing, usage
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.migrate import migrate, plan
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.embedded.process import ServerProcess
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.places import tables
from tokentrail.ledger.retention import Rule, set_rule
from tokentrail.ledger.verify import verify
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

AGAIN = "INSERT INTO usage_landing (* EXCEPT (arrived_at)) SELECT * EXCEPT (arrived_at) FROM usage_landing"
TOTAL = "SELECT sum(calls), sum(input_tokens), sum(output_tokens) FROM usage"


def client_of(server: ServerProcess, database: str = "tokentrail") -> Client:
    return connect(f"{server.addresses.http}/{database}")


def test_a_dropped_database_comes_back_as_it_was(start: Callable[..., ServerProcess], tmp_path: Path) -> None:
    server = start()
    client = client_of(server)
    client.insert_json("usage_landing", [*(usage(seq=seq) for seq in range(1, 51)), closing(50)])
    client.command("BACKUP DATABASE tokentrail TO File('first')")
    client.insert_json("usage_landing", [usage(by="w2", seq=1), closing(1, by="w2")])
    before = client.query(TOTAL).rows
    client.command("BACKUP DATABASE tokentrail TO File('second') SETTINGS base_backup = File('first')")
    assert {path.name for path in (tmp_path / "data" / "backups").iterdir()} == {"first", "second"}
    other = client_of(server, "default")
    other.command("DROP DATABASE tokentrail SYNC")
    other.command("RESTORE DATABASE tokentrail FROM File('second')")
    assert client.query(TOTAL).rows == before
    assert verify(client).ok
    assert plan(client, Target("tokentrail")) == []
    client.insert_json("usage_landing", [usage(by="w3", seq=1)])  # the views are there too
    assert client.query(TOTAL).rows[0][0] == before[0][0] + 1


def test_every_table_of_the_copy_has_the_rows_of_the_original(start: Callable[..., ServerProcess]) -> None:
    server = start()
    client = client_of(server)
    client.insert_json("usage_landing", [*(usage(seq=seq, tenant=f"t{seq % 2}") for seq in range(1, 21)), claimed("k1", by="w2", seq=1), closing(20)])
    client.insert_json("usage_landing", [usage(by="w3", seq=1, input_tokens="many")])
    client.insert_json("otel_logs", [{"Timestamp": "2026-11-20 10:00:00", "ServiceName": "shop", "Body": "hello"}])
    set_rule(client, Rule(None, 0, keep_sums=True))
    erase(client, "t1", "why")
    client.command("BACKUP DATABASE tokentrail TO File('whole')")
    client.command("RESTORE DATABASE tokentrail AS whole FROM File('whole')")
    copy = client_of(server, "whole")
    compared = {}
    for table in tables(client):
        columns = ", ".join(f"hex({name})" if kind.startswith("Aggregate") else f"`{name}`" for name, kind in table.columns.items())
        asked = f"SELECT {columns} FROM {table.name} ORDER BY ALL"
        compared[table.name] = client.query(asked).rows
        assert copy.query(asked).rows == compared[table.name], table.name
    assert {"usage_ledger", "deliveries", "removed_calls", "removals", "retention_rules", "quarantine"} < {
        name for name, rows in compared.items() if rows
    }
    migrate(copy, Target("whole"))
    assert verify(copy).as_dict() == verify(client).as_dict()
    copy.insert_json("usage_landing", [usage(seq=1, tenant="t1")])  # what was erased stays so in the copy
    assert copy.query("SELECT count() FROM usage WHERE tenant_id = 't1'").rows == [(0,)]
    copy.close()


def test_a_backup_beside_inserts_is_whole_once_its_arrivals_are_read_again(start: Callable[..., ServerProcess]) -> None:
    """The statement copies one table after the other: what arrives meanwhile may be in the landing table and not yet in the ledger's copy."""
    server = start()
    client = client_of(server)
    done = threading.Event()

    def insert() -> None:
        other, seq = client_of(server), 0
        while not done.is_set():
            other.insert_json("usage_landing", [usage(by="busy", seq=seq + each, ts=START_NS + (seq + each) * 1000) for each in range(1, 101)])
            seq += 100
        other.close()

    busy = threading.Thread(target=insert)
    busy.start()
    try:
        for name in ("copy1", "copy2", "copy3"):
            client.command(f"BACKUP DATABASE tokentrail TO File('{name}')")
    finally:
        done.set()
        busy.join()
    for name in ("copy1", "copy2", "copy3"):
        client.command(f"RESTORE DATABASE tokentrail AS {name} FROM File('{name}')")
        copy = client_of(server, name)
        migrate(copy, Target(name))
        copy.command(AGAIN)
        assert verify(copy).ok
        ((arrived,),) = copy.query("SELECT uniqExact(LogAttributes['tokentrail.seq']) FROM usage_landing").rows
        assert copy.query("SELECT sum(calls) FROM usage").rows == [(arrived,)]
        copy.close()


def test_what_arrived_after_the_backup_is_named_for_those_who_go_on(start: Callable[..., ServerProcess]) -> None:
    server = start()
    client = client_of(server)
    client.insert_json("usage_landing", [usage(seq=seq) for seq in range(1, 51)])
    client.command("BACKUP DATABASE tokentrail TO File('monday')")
    client.insert_json("usage_landing", [*(usage(seq=seq) for seq in range(51, 61)), usage(by="brief", seq=1), closing(1, by="brief")])
    other = client_of(server, "default")
    other.command("DROP DATABASE tokentrail SYNC")
    other.command("RESTORE DATABASE tokentrail FROM File('monday')")
    assert verify(client).ok  # nobody has gone on yet
    client.insert_json("usage_landing", [usage(seq=61), closing(61)])
    (found,) = verify(client).writers
    assert (found.state, found.missing) == ("missing", "51-60")


def test_a_restore_over_what_is_there_doubles_no_number(start: Callable[..., ServerProcess]) -> None:
    server = start()
    client = client_of(server)
    client.insert_json(
        "usage_landing", [*(usage(seq=seq) for seq in range(1, 21)), claimed("k1", by="w2", seq=1), usage(by="w2", seq=2, input_tokens="many")]
    )
    load(client, parse('[[price]]\nprovider = "openai"\nmodel = "*"\ninput = "1"\noutput = "2"\n'))
    asked = "SELECT sum(calls), sum(input_tokens), sum(cost), count() FROM usage_cost"
    before, said = client.query(asked).rows, verify(client).findings
    assert before[0][2]
    client.command("BACKUP DATABASE tokentrail TO File('monday')")
    client.command("RESTORE DATABASE tokentrail FROM File('monday') SETTINGS allow_non_empty_tables = true")
    assert client.query(asked).rows == before
    assert verify(client).findings == said
    assert plan(client, Target("tokentrail")) == []


@pytest.mark.parametrize("statement", ["BACKUP DATABASE tokentrail TO File('made')", "/* */ restore DATABASE tokentrail AS made FROM File('made')"])
def test_the_command_copies_nothing_without_write(start: Callable[..., ServerProcess], tmp_path: Path, statement: str) -> None:
    server = start()
    command = [str(Path(sys.executable).parent / "tokentrail"), "sql", "--dsn", server.addresses.dsn, statement]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "give --write to change something" in " ".join(ran.stderr.split())
    assert not (tmp_path / "data" / "backups").exists()


@pytest.mark.parametrize("path", ["/tmp/elsewhere", "../elsewhere", "../../elsewhere"])
def test_nothing_is_written_outside_the_data(start: Callable[..., ServerProcess], tmp_path: Path, path: str) -> None:
    server = start()
    reply = ask(server.addresses.http, "POST", "/", f"BACKUP DATABASE tokentrail TO File('{path}')")
    assert reply.status != 200
    assert "is not allowed for backups" in reply.text
    assert not (tmp_path / "elsewhere").exists()

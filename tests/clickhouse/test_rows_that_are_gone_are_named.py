"""`verify` notices rows that were heard of and that the ledger or the quarantine does not hold any more."""

from __future__ import annotations

from tests.support.ledger_rows import START_NS, Land, claimed, closing, usage, writer
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.verify import verify


def delete(database: Client, table: str, where: str) -> None:
    database.command(f"DELETE FROM {table} WHERE {where}")


def test_deleted_automatic_rows_are_named_by_call(land: Land, database: Client) -> None:
    land(*(usage(seq=seq) for seq in range(1, 11)), *(usage(by="w2", seq=seq) for seq in range(1, 4)), closing(10), closing(3, by="w2"))
    delete(database, "usage_ledger", f"writer_id = '{writer('w1')}' AND call IN (3, 4, 9)")
    found = {each.writer_id: each for each in verify(database).writers}
    assert (found[writer("w1")].state, found[writer("w1")].lost_calls) == ("lost", "3-4,9")
    assert found[writer("w2")].state == "complete"
    assert not verify(database).ok


def test_a_deleted_completion_is_noticed_though_its_numbers_arrived(land: Land, database: Client) -> None:
    land(usage(seq=1, source="unknown"), usage(seq=2, call=1, ts=START_NS + 10**9), usage(seq=3), closing(3))
    database.command("OPTIMIZE TABLE usage_ledger FINAL")
    assert verify(database).ok
    delete(database, "usage_ledger", "call = 1")
    (found,) = verify(database).writers
    assert found.lost_calls == "1"


def test_all_rows_of_a_writer_deleted_are_named(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2), closing(2))
    database.command("TRUNCATE TABLE usage_ledger")
    (found,) = verify(database).writers
    assert found.lost_calls == "1-2"


def test_a_deleted_claimed_key_is_named(land: Land, database: Client) -> None:
    land(claimed("k1", seq=1), claimed("k2", seq=2), claimed("k2", by="w2", seq=1))
    delete(database, "usage_ledger", "key_head = 'k2'")
    assert [key["key"] for key in verify(database).lost_keys] == ["k2"]
    assert verify(database).findings == ["claimed key 'k2' arrived and is not in the ledger"]


def test_a_record_that_left_quarantine_is_named(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2, input_tokens="many"))
    database.command("TRUNCATE TABLE quarantine")
    (found,) = verify(database).writers
    assert (found.state, found.lost_quarantine) == ("lost", "2")


def test_rows_come_back_by_sending_them_again(land: Land, database: Client) -> None:
    records = [usage(seq=1), usage(seq=2)]
    land(*records)
    database.command("TRUNCATE TABLE usage_ledger")
    land(*records)  # the very same block: nothing may drop it because it came before
    assert verify(database).ok

"""Single rows are removed, doubled and altered at random in each table that the proof is made of: `verify` names each, and a copy moves nothing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from tests.support.ledger_rows import START_NS, Land, claimed, closing, refused, usage, writer
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.lists import lists
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.query import answer
from tokentrail.ledger.ranges import join, parse, write
from tokentrail.ledger.rollup import different_days, refresh
from tokentrail.ledger.verify import Verification, verify

W1 = writer("w1")
CHECKED = {
    "input_tokens": "ifNull(input_tokens, 0) + 1",
    "output_tokens": "NULL",
    "cache_read_tokens": "0",
    "calls": "calls + 1",
    "tenant_id": "'other'",
    "operation_name": "'batch'",
    "token_type_name": "'embedding'",
    "provider": "'groq'",
    "request_model": "'gpt-5'",
    "response_model": "''",
    "ended_name": "'partial'",
    "service_name": "''",
    "environment": "'live'",
    "input_source": "'unknown'",
    "output_source": "'estimated'",
}


@pytest.fixture
def filled(land: Land, database: Client) -> Client:
    """Twenty calls of one writer, some estimated first, some claimed, all heard twice; a record in quarantine; refused and damaged numbers."""
    rows = [usage(seq=seq, content=str(seq), input_tokens=seq) for seq in range(1, 13)]
    rows += [usage(seq=13, source="estimated", content="13"), usage(seq=14, call=13, content="13", ts=START_NS + 13 * 10**9)]
    rows += [claimed(f"job-{seq}", seq=seq, input_tokens=seq) for seq in range(15, 19)]
    rows += [usage(seq=19, input_tokens="many"), refused("20-21"), closing(23, damaged="22")]
    land(*rows, usage(seq=23))
    land(*rows)
    assert verify(database).findings == [
        f"writer {W1}: numbers 20-21 were refused by the journal",
        f"writer {W1}: number 22 is damaged in the journal",
        "1 record in quarantine: bad count: input_tokens is not a whole number within a trillion",
    ]
    return database


def of(database: Client, by: str = "w1") -> Verification:
    found = verify(database)
    assert [each.writer_id for each in found.writers] == [writer(by)]
    return found


def alter(database: Client, table: str, change: str, where: str) -> None:
    database.command(f"ALTER TABLE {table} UPDATE {change} WHERE {where} SETTINGS mutations_sync = 2")


def test_what_can_be_altered_is_what_the_check_is_made_of() -> None:
    made_of = {item["name"] for item in (*lists()["checked_texts"], *lists()["checked"])}
    assert made_of >= set(CHECKED)
    assert made_of - set(CHECKED) <= {item["name"] for item in lists()["counts"]} | {"key_ts"}, "all other names are further counts"


def test_altered_rows_are_named_by_their_numbers(land: Land, database: Client) -> None:
    land(*(usage(seq=seq, content=str(seq)) for seq in range(1, 21)), closing(20))
    seqs = random.Random(7).sample(range(1, 21), len(CHECKED))
    for seq, (column, value) in zip(seqs, CHECKED.items(), strict=True):
        alter(database, "usage_ledger", f"{column} = {value}", f"seq = {seq}")
        (found,) = of(database).writers
        assert (found.state, found.added) == ("altered", "")
        assert seq in (number for low, high in parse(found.altered) for number in range(low, high + 1)), column
    assert of(database).writers[0].altered == write(join((seq, seq) for seq in seqs))
    assert verify(database).findings == [f"writer {W1}: numbers {found.altered} count something else in the ledger than what arrived"]


@pytest.mark.parametrize("seed", range(2))
def test_a_row_that_is_removed_doubled_or_altered_at_random(filled: Client, seed: int) -> None:
    seq = random.Random(seed).choice([*range(1, 13), 14])
    call = 13 if seq == 14 else seq
    filled.command(f"INSERT INTO usage_ledger SELECT * FROM usage_ledger WHERE seq = {seq} LIMIT 1")
    assert not of(filled).writers[0].altered, "a copy is the same row"
    filled.command(f"INSERT INTO usage_ledger SELECT * REPLACE (key_hash + 1 AS key_hash) FROM usage_ledger WHERE seq = {seq} LIMIT 1")
    assert of(filled).writers[0].altered == str(seq), "a row with another key would count twice"
    filled.command(f"DELETE FROM usage_ledger WHERE call = {call} AND key_kind = 'automatic'")
    assert of(filled).writers[0].lost_calls == str(call)


def test_rows_that_never_arrived_are_named(filled: Client) -> None:
    filled.command(
        "INSERT INTO usage_ledger SELECT * REPLACE (key_hash + 1 AS key_hash, 99 AS seq, 99 AS call) FROM usage_ledger WHERE input_tokens = 3 LIMIT 1"
    )
    assert of(filled).writers[0].added == "99"
    filled.command(f"INSERT INTO usage_ledger SELECT * REPLACE ('{writer('w2')}' AS writer_id) FROM usage_ledger WHERE seq = 3 LIMIT 1")
    assert f"writer {writer('w2')} was never heard, and rows of the ledger name it: 3" in verify(filled).findings
    (row,) = [each for each in answer(filled, "conservation").dicts() if not each["service_name"]]
    assert (row["added"], row["announced"], row["proven"]) == (1, 0, False)


def test_what_was_heard_is_proved_too(filled: Client) -> None:
    filled.command(f"DELETE FROM deliveries WHERE writer_id = '{W1}'")
    said = verify(filled).findings
    assert any(text.startswith(f"writer {W1} was never heard, and rows of the ledger name it: 1-12,") for text in said), said


@pytest.mark.parametrize(
    "hurt",
    [
        lambda database: database.command("DELETE FROM key_conflicts WHERE key = 'job-16'"),
        lambda database: alter(database, "key_conflicts", "input_tokens = 5", "key = 'job-16'"),
        lambda database: alter(database, "usage_ledger", "input_tokens = 5", "key_head = 'job-16'"),
    ],
    ids=["removed", "altered", "altered in the ledger"],
)
def test_claimed_keys_count_what_was_stated(filled: Client, hurt: Callable[[Client], None]) -> None:
    hurt(filled)
    assert "claimed key 'job-16' counts in the ledger what no record has stated" in verify(filled).findings


def test_a_removed_claimed_key_is_named(filled: Client) -> None:
    filled.command("DELETE FROM usage_ledger WHERE key_head = 'job-17'")
    assert "claimed key 'job-17' arrived and is not in the ledger" in verify(filled).findings


def test_quarantine_is_kept_as_it_arrived(filled: Client) -> None:
    filled.command("INSERT INTO quarantine SELECT * FROM quarantine")
    assert len(verify(filled).findings) == 3, "a copy is the same record"
    alter(filled, "quarantine", "Body = replaceAll(Body, 'many', '7')", "1")
    assert any("in quarantine is not as it arrived" in text for text in verify(filled).findings)
    filled.command("TRUNCATE TABLE quarantine")
    assert of(filled).writers[0].lost_quarantine == "19"


@pytest.mark.parametrize(
    "hurt",
    [
        "DELETE FROM usage_days WHERE tenant_id = 'beta'",
        "INSERT INTO usage_days SELECT * FROM usage_days WHERE tenant_id = 'beta'",
        "ALTER TABLE usage_days UPDATE cache_read_tokens = 3 WHERE tenant_id = 'beta' SETTINGS mutations_sync = 2",
        "ALTER TABLE usage_days UPDATE provider = 'groq' WHERE tenant_id = 'beta' SETTINGS mutations_sync = 2",
        "ALTER TABLE usage_days UPDATE tenant_id = 'acme' WHERE tenant_id = 'beta' SETTINGS mutations_sync = 2",
    ],
    ids=["removed", "doubled", "a count that is in no total", "a word", "another tenant's"],
)
def test_sums_by_day_are_those_that_were_built(land: Land, database: Client, hurt: str) -> None:
    land(*(usage(seq=seq, tenant="acme" if seq % 2 else "beta", content=str(seq)) for seq in range(1, 9)))
    alter(database, "usage_ledger", "arrived_at = arrived_at - INTERVAL 3 HOUR", "1")
    refresh(database)
    assert different_days(database) == []
    database.command(hurt)
    assert [str(each["day"]) for each in different_days(database)] == ["2026-11-18"]


def test_the_statement_balances(filled: Client) -> None:
    (row,) = answer(filled, "conservation").dicts()
    parts = ("stored", "quarantined", "refused", "damaged", "absent", "lost", "altered")
    assert [row[part] for part in parts] == [19, 1, 2, 1, 0, 0, 0]
    assert (row["announced"], row["proven"]) == (23, True)
    filled.command("DELETE FROM usage_ledger WHERE call IN (3, 4) OR key_head = 'job-16'")
    alter(filled, "usage_ledger", "input_tokens = 1000", "seq = 7")
    (row,) = answer(filled, "conservation").dicts()
    assert [row[part] for part in parts] == [15, 1, 2, 1, 0, 3, 1]
    assert (sum(row[part] for part in parts), row["proven"]) == (row["announced"], False)
    assert verify(filled).balance == [row]


def test_records_from_before_there_were_checks_are_not_accused(land: Land, database: Client) -> None:
    land(*(usage(seq=seq, content=str(seq)) for seq in range(1, 6)))
    alter(database, "deliveries", "seq_checks = initializeAggregation('groupBitmapState', toUInt64(0))", "1")
    database.command("ALTER TABLE deliveries CLEAR COLUMN seq_checks SETTINGS mutations_sync = 2")
    alter(database, "usage_ledger", "input_tokens = 1000", "seq = 2")
    assert of(database).ok
    land(*(usage(seq=seq, content=str(seq)) for seq in range(6, 9)))
    assert of(database).ok
    alter(database, "usage_ledger", "input_tokens = 1000", "seq IN (2, 7)")
    assert of(database).writers[0].altered == "7"


def test_the_check_stays_the_same() -> None:
    """Stored checks are compared for ever: the list that they are made of may only become longer by counts that were not stated."""
    names = ",".join(item["name"] for item in (*lists()["checked_texts"], *lists()["checked"]))
    assert hashlib.sha256(names.encode()).hexdigest()[:16] == "5d96a038d55a0fa7", names


def test_a_stored_check_is_the_same_for_ever(land: Land, database: Client) -> None:
    """With another hash every row that is stored by now would seem altered."""
    land(usage(seq=1), usage(seq=2, input_tokens=None, tenant="ä", source="estimated"))
    stored = database.query("SELECT arraySort(bitmapToArray(groupBitmapMergeState(seq_checks))) FROM deliveries").rows
    assert stored == [([1024 + 1011, 2 * 1024 + 734],)]


def test_what_was_removed_on_purpose_is_in_the_statement(land: Land, database: Client) -> None:
    rows = [usage(seq=seq, tenant="acme" if seq % 2 else "beta", content=str(seq)) for seq in range(1, 7)]
    land(*rows, closing(6))
    erase(database, "beta", "asked")
    land(*rows)
    (row,) = answer(database, "conservation").dicts()
    assert (row["announced"], row["stored"], row["removed"], row["proven"]) == (6, 3, 3, True)
    assert verify(database).ok

from __future__ import annotations

import itertools

import pytest

from tests.support.ledger_rows import START_NS, Land, Total, claimed, usage
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.verify import verify


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_different_numbers_for_one_key_are_all_listed_and_the_earliest_counts(
    land: Land, total: Total, database: Client, order: tuple[int, ...]
) -> None:
    records = [claimed("k", seq=number + 1, ts=START_NS + number, input_tokens=100 + number, tenant=f"t{number}") for number in range(3)]
    for number in order:
        land(records[number])
    assert total() == (1, 100, 5)
    conflicts = verify(database).conflicts
    assert [(said["input_tokens"], said["counts"], said["tenants"]) for said in conflicts] == [
        (100, True, ["t0"]),
        (101, False, ["t1"]),
        (102, False, ["t2"]),
    ]
    assert verify(database).findings == ["claimed key 'k': different numbers were said"]


def test_the_same_numbers_again_are_no_conflict(land: Land, database: Client) -> None:
    for seq in range(1, 5):
        land(claimed("k", seq=seq, ts=START_NS + seq, tenant=f"t{seq}"))
    assert verify(database).conflicts == []


def test_a_completion_is_no_conflict(land: Land, database: Client) -> None:
    land(claimed("k", seq=1, source="unknown", input_tokens=None), claimed("k", seq=2, source="estimated", input_tokens=7))
    land(claimed("k", seq=3, source="reported", input_tokens=8))
    assert verify(database).conflicts == []


@pytest.mark.parametrize("name", ["calls", "output_tokens", "cache_read_tokens", "reasoning_tokens", "audio_input_tokens"])
def test_every_count_can_conflict(land: Land, database: Client, name: str) -> None:
    land(claimed("k", seq=1), claimed("k", seq=2, more={name: 77}))
    assert len(verify(database).conflicts) == 2


def test_not_stated_and_zero_are_different_numbers(land: Land, database: Client) -> None:
    land(claimed("k", seq=1, input_tokens=0), claimed("k", seq=2, input_tokens=None))
    assert len(verify(database).conflicts) == 2


def test_one_object_with_two_creations_is_a_conflict_because_it_counts_twice(land: Land, total: Total, database: Client) -> None:
    land(claimed("openai:batch_1", kind="object", key_time=START_NS, ts=START_NS, seq=1))
    land(claimed("openai:batch_1", kind="object", key_time=START_NS + 1, ts=START_NS, seq=2))
    assert total()[0] == 2
    assert [said["counts"] for said in verify(database).conflicts] == [True, True]


def test_automatic_keys_are_not_kept_for_conflicts(land: Land, database: Client) -> None:
    land(usage())
    assert database.query("SELECT count() FROM key_conflicts").rows == [(0,)]

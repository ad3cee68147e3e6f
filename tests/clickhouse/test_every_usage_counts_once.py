from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from tests.support.ledger_rows import START_NS, Land, Row, Total, claimed, usage
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.verify import verify
from tokentrail.usage import rank_of, source_of

DAY = 86_400 * 10**9


def test_a_repeated_record_counts_once(land: Land, total: Total) -> None:
    record = usage()
    land(record, record)
    land(record)
    assert total() == (1, 10, 5)


def test_a_repeated_call_counts_twice(land: Land, total: Total) -> None:
    land(usage(seq=1, ts=START_NS), usage(seq=2, ts=START_NS))
    assert total() == (2, 20, 10)


def test_two_writers_with_equal_keys_stay_two(land: Land, total: Total) -> None:
    one, two = usage(by="w1", ts=START_NS), usage(by="w2", ts=START_NS)
    assert one["Body"] == two["Body"]
    land(one, two)
    assert total() == (2, 20, 10)


def test_batches_and_order_do_not_matter(land: Land, total: Total) -> None:
    records = [usage(seq=seq, by=f"w{seq % 3}", content=str(seq)) for seq in range(1, 40)]
    for _ in range(3):
        random.Random(7).shuffle(records)
        land(*records[:13])
        land(*records[5:])
    assert total() == (39, 390, 195)


@pytest.mark.parametrize("first", [0, 1])
def test_a_completion_replaces_what_was_known_before(land: Land, total: Total, first: int) -> None:
    unknown = usage(seq=1, source="unknown", input_tokens=None, output_tokens=None)
    estimate = usage(seq=2, call=1, ts=START_NS + 10**9, source="estimated", input_tokens=9, output_tokens=4)
    records = [unknown, estimate]
    land(records[first])
    land(records[1 - first])
    land(records[first])
    assert total() == (1, 9, 4)


def test_a_stronger_source_wins_even_if_it_is_later(land: Land, total: Total) -> None:
    land(claimed("job-1", seq=1, source="reported", input_tokens=100, output_tokens=0))
    land(claimed("job-1", seq=2, source="estimated", input_tokens=999, output_tokens=0))
    assert total() == (1, 100, 0)


@pytest.mark.parametrize("swap", [False, True])
def test_a_claimed_key_on_two_days_counts_once(land: Land, total: Total, swap: bool) -> None:
    records = [claimed("order-42", seq=1, ts=START_NS), claimed("order-42", seq=2, ts=START_NS - 40 * DAY)]
    for record in reversed(records) if swap else records:
        land(record)
    assert total() == (1, 10, 5)


def test_a_claimed_key_under_two_tenants_counts_once_and_always_for_the_same_one(land: Land, database: Client) -> None:
    for key in ("first", "second"):
        records = [claimed(key, seq=1, ts=START_NS, tenant="acme"), claimed(key, seq=2, ts=START_NS, tenant="umbrella")]
        land(records[0])
        land(records[1])
        winner = database.query("SELECT tenant_id, calls FROM usage").rows
        database.command("TRUNCATE TABLE usage_ledger")
        land(*reversed(records))
        assert database.query("SELECT tenant_id, calls FROM usage").rows == winner
        assert len(winner) == 1
        database.command("TRUNCATE TABLE usage_ledger")


def test_a_four_part_key_counts_once_whoever_writes_it(land: Land, total: Total) -> None:
    key = f"query:acme:{'a' * 32}:{START_NS}"
    for seq in range(1, 4):
        land(claimed(key, kind="four_part", key_time=START_NS, ts=START_NS - seq * DAY, by=f"w{seq}", seq=seq))
    assert total() == (1, 10, 5)


def test_a_providers_object_counts_once(land: Land, total: Total) -> None:
    for seq in (1, 2, 3):
        land(claimed("openai:batch_1", kind="object", key_time=START_NS, ts=START_NS + seq * 10**9, by=f"w{seq}", seq=seq, tenant=f"t{seq}"))
    assert total() == (1, 10, 5)


def test_a_correction_takes_back_tokens_and_calls(land: Land, total: Total) -> None:
    key = f"chat:acme:{'b' * 32}:{START_NS}"
    land(claimed(key, kind="four_part", key_time=START_NS, seq=1, input_tokens=100, output_tokens=50))
    correction = claimed("correction:1", seq=2, input_tokens=-100, output_tokens=-50, more={"calls": -1, "corrects_key": key, "tenant_id": "acme"})
    land(correction)
    land(correction)
    assert total() == (0, 0, 0)


def test_counts_that_nobody_stated_stay_null(land: Land, database: Client) -> None:
    land(usage(input_tokens=None, output_tokens=None, source="unknown"))
    assert database.query("SELECT input_tokens, output_tokens, sum(input_tokens) OVER () FROM usage").rows == [(None, None, None)]


def test_a_batch_over_a_hundred_and_twenty_days_passes(land: Land, total: Total) -> None:
    land(*(usage(seq=day + 1, ts=START_NS - day * DAY) for day in range(120)))
    assert total() == (120, 1200, 600)


def test_a_batch_over_all_months_passes(land: Land, total: Total) -> None:
    land(*(usage(seq=month + 1, ts=START_NS - month * 30 * DAY) for month in range(83)))
    assert total() == (83, 830, 415)


def test_filters_on_time_see_both_kinds_of_keys(land: Land, database: Client) -> None:
    land(usage(seq=1, ts=START_NS), claimed("opaque", seq=2, ts=START_NS), claimed("other", seq=3, ts=START_NS - 9 * DAY))
    day = "ts >= fromUnixTimestamp64Nano({ns:Int64}, 'UTC') AND ts < fromUnixTimestamp64Nano({ns:Int64} + 1, 'UTC')"
    assert database.query(f"SELECT count() FROM usage WHERE {day}", {"ns": START_NS}).rows == [(2,)]


@pytest.mark.parametrize("swap", [False, True])
def test_a_record_is_as_good_as_its_worse_half(land: Land, database: Client, swap: bool) -> None:
    half = {"input_source": "reported", "output_source": "unknown"}
    records = [
        claimed("k", seq=1, input_tokens=100, output_tokens=None, more=half),
        claimed("k", seq=2, source="estimated", input_tokens=90, output_tokens=9),
    ]
    for record in reversed(records) if swap else records:
        land(record)
    assert database.query("SELECT source, input_source, output_source, input_tokens FROM usage").rows == [("estimated", "estimated", "estimated", 90)]
    land(claimed("other", seq=3, more=half))
    assert database.query("SELECT source, input_source, output_source FROM usage WHERE idempotency_key = 'other'").rows == [
        ("unknown", "reported", "unknown")
    ]


RANKED = sorted(itertools.product(("unknown", "estimated", "reported"), repeat=2), key=lambda halves: rank_of(*halves))


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("kind", ["automatic", "opaque"])
def test_the_record_with_the_better_half_counts_as_python_ranks_it(land: Land, database: Client, kind: str, swap: bool) -> None:
    def make_record(key: int, halves: tuple[str, str], *, first: bool) -> Row:
        given: dict[str, Any] = {"seq": 2 * key + first, "input_tokens": key, "output_tokens": int(first)}
        more = {"input_source": halves[0], "output_source": halves[1]}
        if kind == "opaque":  # the weaker record is the earlier one, which would count if both were alike
            return claimed(f"k{key}", ts=START_NS + (not first), more=more, **given)
        return usage(call=2 * key, ts=START_NS + key, more=more, **given)

    pairs = [(weak, strong) for weak, strong in itertools.combinations(RANKED, 2) if rank_of(*weak) < rank_of(*strong)]
    records = [(make_record(key, weak, first=True), make_record(key, strong, first=False)) for key, (weak, strong) in enumerate(pairs, 1)]
    land(*(pair[swap] for pair in records))
    land(*(pair[not swap] for pair in records))
    found = database.query("SELECT input_tokens, input_source, output_source, source FROM usage ORDER BY input_tokens").rows
    assert found == [(key, *strong, source_of(*strong)) for key, (_, strong) in enumerate(pairs, 1)]
    assert verify(database).conflicts == [], "a completed half is no conflict"


def test_an_unknown_row_its_half_estimate_and_the_reported_counts_in_any_order(land: Land, database: Client) -> None:
    halves = {"input_source": "unknown", "output_source": "estimated"}
    for number, order in enumerate(itertools.permutations(range(3))):
        records = [
            claimed(f"k{number}", seq=10 * number + 1, ts=START_NS, source="unknown", input_tokens=None, output_tokens=None),
            claimed(f"k{number}", seq=10 * number + 2, ts=START_NS, input_tokens=None, output_tokens=7, more=halves),
            claimed(f"k{number}", seq=10 * number + 3, ts=START_NS + 10**9, input_tokens=11, output_tokens=8),
        ]
        for place in order:
            if place < 2:
                land(records[place])
        counts = "SELECT input_tokens, output_tokens FROM usage WHERE idempotency_key = {key:String}"
        assert database.query(counts, {"key": f"k{number}"}).rows == [(None, 7)]
        land(records[2])
        for place in order:
            land(records[place])
        assert database.query(counts, {"key": f"k{number}"}).rows == [(11, 8)]
    assert verify(database).conflicts == []


@pytest.mark.parametrize("kind", ["automatic", "opaque"])
def test_of_two_records_of_the_same_rank_and_time_always_the_same_one_counts(land: Land, database: Client, kind: str) -> None:
    def make_record(key: int, tokens: int) -> Row:
        if kind == "opaque":
            return claimed(f"k{key}", seq=key, ts=START_NS, input_tokens=tokens)
        return usage(seq=key, input_tokens=tokens)

    for key in range(1, 9):
        land(make_record(key, 1))
        land(make_record(key, 2))
    winners = database.query("SELECT seq, input_tokens FROM usage ORDER BY seq").rows
    database.command("TRUNCATE TABLE usage_ledger")
    for key in range(1, 9):
        land(make_record(key, 2), make_record(key + 100, 7))
        land(make_record(key, 1), make_record(key + 200, 7))
    assert database.query("SELECT seq, input_tokens FROM usage WHERE seq < 100 ORDER BY seq").rows == winners


def test_the_key_is_read_back_as_it_was_given(land: Land, database: Client) -> None:
    records = [
        usage(seq=1, tenant="a%3Ab"),
        claimed(f"query:acme:{'e' * 32}:{START_NS}", kind="four_part", key_time=START_NS, seq=2),
        claimed("openai:batch_1", kind="object", key_time=START_NS, seq=3),
        claimed("order:42:refund:7", seq=4),
        claimed("💥\n'\\", seq=5),
    ]
    land(*records)
    keys = [key for (key,) in database.query("SELECT idempotency_key FROM usage ORDER BY seq").rows]
    assert keys == [json.loads(record["Body"])["key"] for record in records]

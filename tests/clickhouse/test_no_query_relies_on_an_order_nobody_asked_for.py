"""ClickHouse promises no order of bitmaps, groups and rows but the one that is asked for: parallel merges put them in another one each time."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from tests.support.ledger_rows import Land, claimed, closing, usage, writer
from tokentrail.clickhouse import sqlfiles
from tokentrail.clickhouse.client import Client, connect
from tokentrail.clickhouse.definitions import definitions
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger import query
from tokentrail.ledger.verify import verify

SOURCES = Path(sqlfiles.__file__).parents[1]
VIEWS = [definition.name for definition in definitions(Target("x")) if not definition.fed]  # the others only add to states
READ = [*(("queries", name) for name in query.names()), *(("definitions", name) for name in VIEWS)]
SOME = re.compile(r"\b(any|anyLast|anyHeavy|first_value|last_value|any_value|topK|groupArraySample)(If|OrNull)?\(")
"""Functions that answer with whichever value they met first, last or often."""
OUTSIDE = r"(?:[^()]|\([^()]*\))*"
"""What has no open parenthesis: the end of a statement, and not of a part of it."""


def text(folder: str, name: str) -> str:
    return query.read(name).sql if folder == "queries" else sqlfiles.statements(sqlfiles.repeat(sqlfiles.read(folder, name)))[0]


@pytest.mark.parametrize(
    "numbers", [[5, 1, 4], [0, 4, 5, 7, 1, 2, 3, 8], [*range(60, 1, -1), 99]], ids=["three", "eight", "more than a small set holds"]
)
def test_numbers_that_were_heard_in_another_order_are_not_missing(land: Land, database: Client, numbers: list[int]) -> None:
    heard = [number + 1 for number in numbers]
    land(*(usage(seq=seq) for seq in heard), closing(max(heard)))
    absent = set(range(1, max(heard) + 1)) - set(heard)
    ((found, missing),) = [(each.events, each.missing) for each in verify(database).writers]
    assert (found, missing) == (len(heard), ",".join(f"{first}-{last}" if first != last else str(first) for first, last in spans(absent)))


def test_numbers_that_came_in_many_parts_are_not_missing(land: Land, database: Client) -> None:
    database.command("SYSTEM STOP MERGES deliveries")
    records = [usage(seq=seq) for seq in (4, 9, 1, 7, 2, 8, 5, 3)]
    for record in [*records, closing(9)]:
        land(record)
    for threads in ("1", "2", "8", "DEFAULT"):
        database.command(f"SET max_threads = {threads}")
        assert verify(database).findings == [f"writer {writer('w1')}: number 6 never arrived"]


def test_bitmaps_and_groups_are_sorted_before_anything_is_read_from_them() -> None:
    sorted_ones = 0
    for folder, name in READ:
        for function in re.finditer(r"(\w+\()?\b(?:bitmapToArray|groupArray\w*|groupUniqArray\w*)\(", text(folder, name)):
            assert function[1] == "arraySort(", f"{folder}/{name}: {function[0]}"
            sorted_ones += 1
    assert sorted_ones > 2


def test_no_query_takes_whichever_value_comes_first() -> None:
    for folder, name in READ:
        assert SOME.findall(text(folder, name)) == [], f"{folder}/{name}"


def test_rows_come_in_an_order_and_are_cut_off_only_in_one() -> None:
    for name in query.names():
        statement = query.read(name).sql
        if "LIMIT" in statement:
            assert re.search(rf"ORDER BY {OUTSIDE}\bLIMIT", statement), name
        if (
            query.read(name).is_part
            or statement.startswith(("INSERT", "SETTINGS", "ALTER"))
            or name
            in (
                "writers_heard",
                "outcomes",
                "alert_versions",
                "quarantine_now",
                "quarantine_remaining",
                "arriving",
                "is_sharded",
                "bridged",
                "summed_days",
                "kept_calls",
                "kept_days",
                "days_moment",
                "days_superseded",
                "archive_rows",
                "archive_source",
                "backup_arrived",
                "backup_cancel",
                "backup_totals",
                "removal_latest",
                "removal_usages",
                "removal_rows",
                "removal_mentions",
                "tenant_hashes",
                "steps",
                "rows_without_sums",
                "stated_spans",
            )
        ):  # writes; is read from; one row; is streamed, and its reader needs no order
            continue
        assert re.search(rf"(ORDER BY {OUTSIDE}|\{{\{{order\}}\}})(LIMIT \S+)?$", statement), name


def test_python_holds_no_such_query_either() -> None:
    paths = list(SOURCES.rglob("*.py"))
    assert len(paths) > 100
    for path in paths:
        source = path.read_text(encoding="utf-8")
        assert re.findall(r"(?<!arraySort\()(?:bitmapToArray|groupArray|groupUniqArray)|anyLast|argM(?:ax|in)\(\w", source) == [], path


def test_a_record_that_arrives_at_this_moment_is_not_gone(dsn: str, database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An insert reaches the ledger and what proves it one after the other."""
    monkeypatch.setattr("tokentrail.ledger.verify.PATIENCE", 60.0)
    looks = threading.Event()

    def arrive() -> None:
        client = connect(dsn)
        number = 0
        while not looks.is_set():
            seqs = range(number + 1, number + 6)
            rows = [usage(seq=seq) for seq in seqs] + [claimed(f"k{seq}", by="w2", seq=seq) for seq in seqs]
            client.insert_json("usage_landing", [*rows, *(usage(by="w3", seq=seq, input_tokens="many") for seq in seqs)])
            number += 5
        client.close()

    arriving = threading.Thread(target=arrive)
    arriving.start()
    try:
        found = [finding for _ in range(10) for finding in verify(database).findings if "in quarantine: bad count" not in finding]
    finally:
        looks.set()
        arriving.join()
    assert found == []
    assert [each.writer_id for each in verify(database).writers if each.state == "open"] == [each.writer_id for each in verify(database).writers]


def test_what_is_gone_while_records_arrive_is_named_all_the_same(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=3), claimed("k", by="w2"))
    database.command("TRUNCATE TABLE usage_ledger")
    assert verify(database).findings == [
        f"writer {writer('w1')}: number 2 never arrived",
        f"writer {writer('w1')}: numbers 1,3 arrived, but their calls are not in the ledger",
        "claimed key 'k' arrived and is not in the ledger",
    ]


def spans(numbers: set[int]) -> list[tuple[int, int]]:
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    return list(zip(starts, ends, strict=True))

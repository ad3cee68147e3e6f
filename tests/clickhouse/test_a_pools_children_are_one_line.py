"""A writer is a process: of those that are closed and complete, only their number is of interest."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.support.ledger_rows import Land, Row, closing, refused, usage, writer
from tokentrail import semconv
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import writers
from tokentrail.ledger.query import answer
from tokentrail.ledger.verify import Completed, Writer, verify

POOL = [f"child{number}" for number in range(40)]


def pool(*, closed_by: str | None = "parent") -> list[Row]:
    return [record for name in POOL for record in (usage(by=name, seq=1), usage(by=name, seq=2), closing(2, by=name, closed_by=closed_by))]


def verified(dsn: str, *arguments: str) -> str:
    return CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn}).invoke(cli, ["verify", *arguments]).stdout


def take_only_line(found: list[Completed]) -> tuple[str, int, int, int]:
    (one,) = found
    assert "2026" < one.first_heard <= one.last_heard
    return one.service_name, one.writers, one.events, one.closed_by_others


def without_times(found: list[Writer]) -> list[str]:
    return [each.writer_id for each in found]


def test_children_that_are_closed_and_complete_are_one_line_with_a_count(land: Land, dsn: str) -> None:
    land(*pool(), usage(by="parent", seq=1))
    shown = verified(dsn)
    assert [name for name in POOL if writer(name) in shown] == []
    assert writer("parent") in shown
    assert "41 writers: 40 complete, 1 open" in shown
    line, balance = (line.split() for line in shown.splitlines() if "shop" in line and writer("parent") not in line)
    assert line[1:4] == ["40", "80", "40"]
    assert balance[1:3] == ["81", "81"], "announced and stored, of all 41"
    every = verified(dsn, "--all")
    assert [name for name in POOL if writer(name) not in every] == []


def test_in_json_too_and_each_service_has_its_sum(land: Land, dsn: str) -> None:
    land(*pool(closed_by=None), closing(0, by="other") | {"ServiceName": "nightly"})
    told = json.loads(verified(dsn, "--json"))
    assert told["writers"] == []
    sums = [(each["service_name"], each["writers"], each["events"], each["closed_by_others"]) for each in told["completed"]]
    assert sums == [("nightly", 1, 0, 0), ("shop", 40, 80, 0)]
    every = json.loads(verified(dsn, "--json", "--all"))
    assert (len(every["writers"]), every["completed"]) == (41, told["completed"])


def test_of_a_settled_pool_the_database_returns_no_line(land: Land, database: Client) -> None:
    """A service has thousands of them: they are summed where they are stored."""
    land(*pool())
    assert answer(database, "writers", {"all": 0, "named": []}).rows == []


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([usage(by="odd")], "open"),
        ([usage(by="odd"), closing(2, by="odd")], "missing"),
        ([usage(by="odd"), refused("2", by="odd"), closing(2, by="odd")], "complete"),
        ([usage(by="odd"), closing(2, by="odd", damaged="2")], "complete"),
        ([usage(by="odd"), refused("9", by="odd"), closing(1, by="odd")], "complete"),
        ([usage(by="odd", seq=1), usage(by="odd", seq=2), closing(1, by="odd")], "complete"),
    ],
    ids=["open", "missing", "refused", "damaged", "refused beyond the last", "heard after closing"],
)
def test_whoever_has_something_to_say_is_listed(land: Land, database: Client, records: list[Row], state: str) -> None:
    land(*pool(), *records)
    found = verify(database, all_writers=False)
    assert [(each.writer_id, each.state) for each in found.writers] == [(writer("odd"), state)]
    assert take_only_line(found.completed) == ("shop", 40, 80, 40)
    assert verify(database).completed == found.completed


def test_what_was_refused_and_arrived_all_the_same_is_settled(land: Land, database: Client) -> None:
    land(*pool(), usage(by="odd"), refused("1", by="odd"), closing(1, by="odd"))
    found = verify(database, all_writers=False)
    assert (found.writers, take_only_line(found.completed)) == ([], ("shop", 41, 81, 40))


@pytest.mark.parametrize("named", [1000, 3])
def test_a_complete_writer_whose_rows_are_gone_is_listed(land: Land, database: Client, monkeypatch: pytest.MonkeyPatch, named: int) -> None:
    monkeypatch.setattr(writers, "MAX_NAMED", named)
    land(*pool(), usage(by="odd", input_tokens="many"), closing(1, by="odd"))
    gone = sorted(writer(name) for name in POOL[:5])
    database.command(f"ALTER TABLE usage_ledger DELETE WHERE has({gone}, writer_id) AND seq = 2 SETTINGS mutations_sync = 2")
    database.command("TRUNCATE TABLE quarantine")
    found = verify(database, all_writers=False)
    assert sorted(without_times(found.writers)) == sorted([*gone, writer("odd")])
    assert {each.state for each in found.writers} == {"lost"}
    assert take_only_line(found.completed) == ("shop", 35, 70, 35)
    assert verify(database).findings == found.findings


def test_numbers_and_service_are_those_of_the_events(land: Land, database: Client) -> None:
    land(usage(attributes={semconv.SEQ: 1}), closing(1))
    assert take_only_line(verify(database, all_writers=False).completed) == ("shop", 1, 1, 0)

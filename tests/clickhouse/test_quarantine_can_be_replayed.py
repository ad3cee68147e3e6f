from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.ledger_rows import Land, Total, closing, usage
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine
from tokentrail.ledger.verify import verify

NEW_SCHEMA = {semconv.SCHEMA: 3}


Learn = Callable[[], None]


@pytest.fixture
def learn(database: Client) -> Learn:
    """What a later migration would do: read schema 3 as well."""

    def do() -> None:
        ((text,),) = database.query("SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = 'usage_parse'").rows
        taught = text.replace("schema_text != '2'", "schema_text NOT IN ('2', '3')")
        assert taught != text
        database.command(f"ALTER TABLE usage_parse MODIFY QUERY {taught}")

    return do


def test_after_a_migration_a_replay_is_understood_and_counts_once(land: Land, total: Total, database: Client, learn: Learn) -> None:
    land(usage(seq=1), usage(seq=2, attributes=NEW_SCHEMA), usage(seq=3, attributes=NEW_SCHEMA), usage(seq=4, input_tokens="many"), closing(4))
    assert total() == (1, 10, 5)
    learn()
    replayed = quarantine.replay(database)
    assert (replayed.records, replayed.understood, replayed.remaining) == (3, 2, 1)
    assert total() == (3, 30, 15)
    assert [reason["records"] for reason in quarantine.reasons(database)] == [1]
    again = quarantine.replay(database)
    assert (again.records, again.remaining) == (1, 1)
    assert total() == (3, 30, 15)
    assert [each.state for each in verify(database).writers] == ["complete"]


def test_a_replay_that_understands_nothing_changes_nothing(land: Land, total: Total, database: Client) -> None:
    land(usage(seq=1, attributes=NEW_SCHEMA))
    for _ in range(3):
        assert quarantine.replay(database).remaining == 1
    assert quarantine.listed(database)[0]["reason"].startswith("unknown schema")
    assert total() == (0, 0, 0)


def test_a_record_is_kept_with_all_that_came_with_it(land: Land, database: Client) -> None:
    """What a newer writer says beside the body is not known here, and is there when the record is understood."""
    said = usage(seq=1, attributes=NEW_SCHEMA | {"tokentrail.thought": "new", "host": "other"}) | {
        "TraceId": "ab" * 16,
        "SpanId": "cd" * 8,
        "TraceFlags": 1,
        "SeverityText": "INFO",
        "ResourceSchemaUrl": "https://resource",
        "ResourceAttributes": {semconv.SERVICE_NAME: "shop", "region": "north"},
        "ScopeSchemaUrl": "https://scope",
        "ScopeVersion": "9",
        "ScopeAttributes": {"scope": "more"},
        "EventName": "tokentrail.usage",
    }
    land(said)
    columns = ", ".join(said)
    (arrived,) = database.query(f"SELECT tuple({columns}) FROM usage_landing").rows
    assert database.query(f"SELECT tuple({columns}) FROM quarantine FINAL").rows == [arrived]
    quarantine.replay(database)
    assert database.query(f"SELECT tuple({columns}) FROM usage_landing").rows == [arrived] * 2


def test_only_the_reason_asked_for_is_replayed(land: Land, database: Client, learn: Learn) -> None:
    land(usage(seq=1, attributes=NEW_SCHEMA), usage(seq=2, input_tokens="many"))
    learn()
    assert quarantine.replay(database, reason="bad count").records == 1
    assert quarantine.replay(database, reason="unknown schema").understood == 1


def test_a_replay_cut_short_before_marking_counts_once(
    land: Land, total: Total, database: Client, learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(usage(seq=1, attributes=NEW_SCHEMA))
    learn()
    with monkeypatch.context() as patch:
        real = quarantine.run
        patch.setattr(
            quarantine, "run", lambda client, name, given: client.command("SELECT )") if name == "quarantine_mark" else real(client, name, given)
        )
        with pytest.raises(Exception, match="Syntax error"):
            quarantine.replay(database)
    assert total() == (1, 10, 5)
    assert quarantine.replay(database).understood == 1
    assert total() == (1, 10, 5)
    assert quarantine.reasons(database) == []


def test_a_copy_that_arrives_after_the_replay_does_not_come_back(land: Land, total: Total, database: Client, learn: Learn) -> None:
    land(usage(seq=1, attributes=NEW_SCHEMA))
    learn()
    quarantine.replay(database)
    land(usage(seq=1, attributes=NEW_SCHEMA), usage(seq=2))
    assert quarantine.reasons(database) == []
    assert total() == (2, 20, 10)


def test_an_empty_quarantine_is_replayed_too(database: Client) -> None:
    assert quarantine.replay(database).records == 0

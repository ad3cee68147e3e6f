"""The statement of what became of every record says the same as `verify` and the alert, after anything that removes: erased, expired, deleted by hand."""

from __future__ import annotations

import pytest

from tests.support.ledger_rows import START_NS, Land, claimed, closing, refused, usage
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine
from tokentrail.ledger.erasure import erase
from tokentrail.ledger.quarantine_rules import Rule as Fix
from tokentrail.ledger.query import answer
from tokentrail.ledger.retention import Rule, enforce, set_rule, unset_rule
from tokentrail.ledger.verify import verify

COMPLETED = f"chat:x:{'0' * 32}:{START_NS + 10**9:019d}"
BY_HAND = "ALTER TABLE {} DELETE WHERE {} SETTINGS mutations_sync = 2"


def statement(client: Client) -> dict[str, int]:
    """What became of the records of the one service, without what is 0."""
    (said,) = answer(client, "conservation").dicts()
    parts = ("stored", "quarantined", "refused", "damaged", "absent", "lost", "altered", "removed")
    assert said["announced"] == sum(said[part] for part in parts)
    assert min(said[part] for part in parts) >= 0
    return {part: said[part] for part in (*parts, "added") if said[part]}


def alarms(client: Client) -> dict[str, float]:
    return {row["subject"]: row["value"] for row in answer(client, "condition_reconciliation").dicts()}


def test_records_of_claimed_keys_and_completions_are_removed_with_theirs(land: Land, database: Client) -> None:
    land(
        usage(seq=1, key=COMPLETED, source="estimated"),
        usage(seq=2, call=1, key=COMPLETED, ts=START_NS + 3 * 10**9, key_time=START_NS + 10**9),
        claimed("mine", seq=3),
        usage(seq=4, input_tokens="many"),
        usage(seq=5, tenant="beta"),
        claimed("of both", seq=6, tenant="beta"),
        closing(6),
    )
    assert statement(database) == {"stored": 5, "quarantined": 1}
    erase(database, "acme", "why")
    assert statement(database) == {"stored": 2, "removed": 4}
    land(claimed("mine", seq=3), usage(seq=4, input_tokens="many"))
    assert statement(database) == {"stored": 2, "removed": 4}
    assert (verify(database).findings, alarms(database)) == ([], {})


def test_a_completion_whose_beginning_is_on_its_way_is_one_record(land: Land, database: Client) -> None:
    land(usage(seq=2, call=1, key=COMPLETED, key_time=START_NS + 10**9), closing(2))
    erase(database, "acme", "why")
    assert statement(database) == {"absent": 1, "removed": 1}
    land(usage(seq=1, key=COMPLETED, source="estimated"))
    assert statement(database) == {"removed": 2}


def test_a_record_that_is_gone_from_quarantine_is_lost_and_not_stored(land: Land, database: Client) -> None:
    land(usage(seq=1), usage(seq=2, input_tokens="many"), usage(seq=3), claimed("k", seq=4), closing(4))
    database.command(BY_HAND.format("quarantine", "seq = 2"))
    assert statement(database) == {"stored": 3, "lost": 1}
    assert alarms(database) == {"records are gone from quarantine": 1}
    database.command(BY_HAND.format("usage_ledger", "seq IN (1, 4)"))
    assert statement(database) == {"stored": 1, "lost": 3}
    assert sum(alarms(database).values()) == 3
    assert len(verify(database).findings) == 3


def test_a_fixed_record_stays_stored_when_what_it_was_is_removed(land: Land, database: Client) -> None:
    land(usage(seq=1, tenant="beta"), usage(seq=2, input_tokens="many"), closing(2))
    quarantine.fix(database, Fix(drop=("input_tokens",), set={"tenant_id": "beta"}))
    erase(database, "acme", "why")
    assert statement(database) == {"stored": 2}
    assert verify(database).findings == []


def test_what_a_longer_rule_lets_in_again_is_stored(land: Land, database: Client) -> None:
    rows = [usage(seq=1), usage(seq=2), claimed("k", seq=3), closing(3)]
    land(*rows)
    set_rule(database, Rule(None, 1, keep_sums=False))
    enforce(database)
    assert statement(database) == {"removed": 3}
    unset_rule(database, None)
    enforce(database)
    land(*rows)
    assert statement(database) == {"stored": 3}
    assert verify(database).findings == []


@pytest.mark.parametrize("told", ["5-6", "5,6"])
def test_numbers_below_a_refused_one_were_given_too(land: Land, database: Client, told: str) -> None:
    land(usage(seq=1), usage(seq=2), refused(told))
    assert statement(database) == {"stored": 2, "refused": 2, "absent": 2}
    (found,) = verify(database).writers
    assert (found.missing, found.refused, found.state) == ("3-4", "5-6", "missing")
    land(usage(seq=3), usage(seq=4))
    assert statement(database) == {"stored": 4, "refused": 2}
    assert verify(database).writers[0].state == "open"

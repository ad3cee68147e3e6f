"""`quarantine fix`: what the ledger cannot take is changed by rule, counts once, whatever is repeated; times that cannot be believed become arrivals."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import START_NS, Land, Total, claimed, closing, usage
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine
from tokentrail.ledger.quarantine_rules import Rule
from tokentrail.ledger.verify import verify

YEAR = 366 * 86_400 * 10**9
ARRIVAL = Rule(arrival=True)
Ask = Callable[..., Result]


@pytest.fixture
def ask(dsn: str, database: Client) -> Ask:
    """Run `tokentrail quarantine …` on the ledger of the test."""
    return lambda *args: CliRunner().invoke(cli, ["quarantine", *args, "--dsn", dsn])


def test_a_year_ahead_is_counted_at_its_arrival_once(land: Land, total: Total, database: Client) -> None:
    ahead = usage(seq=2, ts=START_NS + 5 * YEAR)
    land(usage(seq=1), ahead, closing(2))
    assert total() == (1, 10, 5)
    assert [reason["reason"] for reason in quarantine.reasons(database)] == ["bad time: more than a day ahead of its arrival"]
    fixed = quarantine.fix(database, ARRIVAL)
    assert (fixed.records, fixed.changed, fixed.remaining) == (1, 1, 0)
    assert total() == (2, 20, 10)
    assert database.query("SELECT count() FROM usage WHERE ts > now64() - INTERVAL 1 HOUR AND timed").rows == [(1,)]
    assert verify(database).ok
    land(ahead)  # a copy comes later
    assert not verify(database).ok
    assert quarantine.fix(database, ARRIVAL).remaining == 0
    assert quarantine.fix(database, ARRIVAL).records == 0
    assert total() == (2, 20, 10)
    assert verify(database).ok


@pytest.mark.parametrize("together", [1, 3, 9, 10])
def test_each_record_is_in_one_page(land: Land, database: Client, together: int) -> None:
    land(*(usage(seq=seq, ts=seq) for seq in range(1, 10)))
    found = [[row["seq"] for row in page] for page in quarantine.whole(database, together=together)]
    assert sorted(seq for page in found for seq in page) == list(range(1, 10))
    assert [len(page) for page in found] == [min(together, 9 - first) for first in range(0, 9, together)]


def test_all_records_of_a_call_get_one_time(land: Land, total: Total, database: Client) -> None:
    first, then = usage(seq=1, ts=7, source="estimated"), usage(seq=2, call=1, ts=7, input_tokens=11)
    land(first)
    quarantine.fix(database, ARRIVAL)
    assert total() == (1, 10, 5)
    land(then)
    quarantine.fix(database, ARRIVAL)
    assert total() == (1, 11, 5), "the completed record of the same call"


def test_claimed_keys_stay_what_they_are(land: Land, total: Total, database: Client) -> None:
    for by in ("w1", "w2"):
        land(claimed("order:7", by=by, ts=7))
    quarantine.fix(database, ARRIVAL)
    assert total() == (1, 10, 5)
    assert verify(database).conflicts == []


def test_fields_are_set_and_dropped(land: Land, total: Total, database: Client) -> None:
    land(usage(seq=1, input_tokens="many"), usage(seq=2, input_tokens="many"), usage(seq=3, source="guessed"), usage(seq=4))
    assert quarantine.fix(database, Rule(drop=("input_tokens",)), reason="bad count: input_tokens").remaining == 0
    assert total() == (3, 10, 15)
    fixed = quarantine.fix(database, Rule(set={"input_source": "reported"}))
    assert dict(fixed.still) == {"bad source: output_source is not a known source": 1}
    fixed = quarantine.fix(database, Rule(set={"output_source": "reported"}))
    assert (fixed.records, fixed.remaining) == (1, 0)
    assert total() == (4, 20, 20)
    assert verify(database).ok


def test_a_dry_run_and_what_no_rule_can_change(land: Land, total: Total, database: Client) -> None:
    land(usage(seq=1, body="{no JSON"), usage(seq=2, ts=7))
    dry = quarantine.fix(database, ARRIVAL, dry_run=True)
    assert (dry.changed, dict(dry.unfixable)) == (1, {"the body is not JSON": 1})
    assert (total(), database.query("SELECT count() FROM quarantine_times").rows) == ((0, 0, 0), [(0,)])
    quarantine.fix(database, ARRIVAL)
    assert total() == (1, 10, 5)
    assert len(quarantine.listed(database)) == 1


def test_poison_stays_with_itself(land: Land, total: Total, database: Client) -> None:
    """Any record is refused alone: its neighbours in the INSERT, before and behind it, count."""
    poison = [usage(seq=2, body="\x00\xff"), usage(seq=3, input_tokens=2**70), usage(seq=4, ts=-1), usage(seq=5, key=""), usage(seq=6, body="[]")]
    land(usage(seq=1), *poison, usage(seq=7))
    assert total() == (2, 20, 10)
    assert len(quarantine.listed(database)) == len(poison)


def test_the_commands(land: Land, ask: Ask) -> None:
    land(usage(seq=1, ts=7), usage(seq=2, tenant="acme", input_tokens="many"))
    listed = json.loads(ask("list", "--json").output)
    shown = json.loads(ask("show", listed[0]["id"][:8]).output)
    assert shown["id"] == listed[0]["id"]
    assert shown["ResourceAttributes"]["service.name"] == "shop"
    assert "2 changed by the rule if" in ask("fix", "--set", "tenant_id=beta", "--dry-run").output
    fixed = ask("fix", "--time", "arrival", "--reason", "bad time")
    assert fixed.output == "1 record chosen, 1 changed by the rule\n1 understood, 0 still in quarantine\n"
    assert json.loads(ask("fix", "--set", "input_tokens=3", "--json").output)["understood"] == 1
    assert ask("list").output == "quarantine is empty\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("fix",), "give a rule"),
        (("fix", "--set", "tokens=1"), "a record has no field 'tokens'"),
        (("fix", "--set", "input_token=1"), "did you mean input_tokens?"),
        (("fix", "--set", "tenant_id"), "write FIELD=VALUE"),
        (("fix", "--drop", "input_tokens", "--id", "xyz"), "hexadecimal digits"),
        (("show", "0000"), "no record in quarantine has an id"),
        (("show",), "Missing argument"),
    ],
)
def test_misuse_is_one_sentence(ask: Ask, args: tuple[str, ...], sentence: str) -> None:
    done = ask(*args)
    assert done.exit_code == 2
    assert sentence in done.output

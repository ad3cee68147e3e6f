"""Every condition fires on calls that are made to fire it, with the value that plain Python gives, and resolves when they are over."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger_rows import START_NS, Land, Row, claimed, closing, moment, refused, usage
from tokentrail.alerts.check import ask as check
from tokentrail.alerts.conditions import BY_NAME, CONDITIONS, Finding, find
from tokentrail.alerts.thresholds import Thresholds
from tokentrail.budgets.files import parse as budgets
from tokentrail.budgets.store import put
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import answer
from tokentrail.ledger.verify import verify
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

MINUTE = 60 * 10**9
HOUR, DAY, WEEK = 60, 24 * 60, 7 * 24 * 60
NOW = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=START_NS // 1000)
HOSTILE = "o'hara \\ <!channel> söhne"

ON_BUDGETS = [each for each in CONDITIONS if each.shared == "budgets"]

numbers = itertools.count(1)
Ask = Callable[..., dict[str, Finding]]


def call(minutes_ago: float, *, service: str = "shop", late: float = 0.0, number: int | None = None, **more: Any) -> Row:
    """A call of so many minutes ago, which arrived `late` minutes after its start."""
    seq = next(numbers) if number is None else number
    ts = START_NS - int(minutes_ago * MINUTE) - seq % 1000
    own = {name: more.pop(name) for name in ("tenant", "input_tokens", "output_tokens", "source") if name in more}
    row = usage(by=service, seq=seq, ts=ts, content=str(seq), more=more, **own)
    row["ResourceAttributes"] = row["ResourceAttributes"] | {"service.name": service}
    return row | {"ServiceName": service, "arrived_at": arrival(minutes_ago - late)}


def arrival(minutes_ago: float) -> str:
    return moment(START_NS - int(minutes_ago * MINUTE))[:-6]


def calls(count: int, minutes_ago: float, **more: Any) -> list[Row]:
    return [call(minutes_ago, **more) for _ in range(count)]


@pytest.fixture
def ask(database: Client) -> Ask:
    def run(name: str, minutes: float = 0.0, **parameters: Parameter) -> dict[str, Finding]:
        return {each.subject: each for each in find(database, BY_NAME[name], parameters, at=NOW + timedelta(minutes=minutes))}

    return run


def values(found: dict[str, Finding]) -> dict[str, tuple[float, bool]]:
    return {subject: (each.value, each.firing) for subject, each in found.items()}


def test_error_share_leaves_limits_of_rate_apart(ask: Ask, land: Land) -> None:
    model = {"response_model": "m", "provider": "p"}
    land(
        *calls(30, 5, **model),
        *calls(6, 5, **model, ended="error", error_type="500"),
        *calls(2, 5, **model, ended="error", error_type="openai.APITimeoutError"),
        *calls(2, 5, **model, ended="error", error_type="429"),
        *calls(9, 5, provider="few", response_model="m", ended="error", error_type="500"),
        *calls(50, 16, **model),
    )
    found = ask("error_share")
    assert values(found) == {"p / m": (20.0, True)}, "nine calls say nothing"
    assert found["p / m"].detail == "8 of 40 calls in 15 minutes have failed, most with 500"
    assert (found["p / m"].threshold, found["p / m"].clear) == (10.0, 8.0)
    assert values(ask("rate_limits")) == {"p / m": (5.0, False)}
    assert values(ask("rate_limits", percent=4)) == {"p / m": (5.0, True)}
    assert ask("error_share", minutes=11) == {}, "no call is in the window any more"


@pytest.mark.parametrize(
    "error", ["429", "openai.RateLimitError", "ThrottlingException", "google.api_core.exceptions.ResourceExhausted", "insufficient_quota"]
)
def test_every_word_for_a_limit_is_a_limit(ask: Ask, land: Land, error: str) -> None:
    land(*calls(15, 1, provider="p", response_model="m"), *calls(15, 1, provider="p", response_model="m", ended="error", error_type=error))
    assert values(ask("rate_limits")) == {"p / m": (50.0, True)}
    assert values(ask("error_share")) == {"p / m": (0.0, False)}
    land(*calls(300, 0.5, provider="p", response_model="m"))
    assert not ask("rate_limits")["p / m"].firing


def test_a_rise_is_held_against_the_same_hour_of_past_weeks(ask: Ask, land: Land) -> None:
    past = [40_000, 0, 50_000, 70_000]
    rows = [call(WEEK * week + 30, tenant=HOSTILE, input_tokens=tokens, output_tokens=0) for week, tokens in enumerate(past, 1) if tokens]
    rows += [call(WEEK * week + 90, tenant=HOSTILE, input_tokens=9_000_000, output_tokens=0) for week in (1, 2)]  # another hour
    rows += [call(30, tenant=HOSTILE, input_tokens=90_000, output_tokens=90_000)]
    rows += [call(30, tenant="new", input_tokens=10**9), call(30, tenant="small", input_tokens=99_000, output_tokens=0)]
    rows += [call(WEEK * week + 30, tenant="small", input_tokens=10, output_tokens=0) for week in (1, 2, 3)]
    land(*rows)
    usual = statistics.median([tokens for tokens in past if tokens])
    assert values(ask("rise")) == {HOSTILE: (round(180_000 / usual, 2), True)}
    assert values(ask("rise", times=4)) == {HOSTILE: (3.6, False)}
    assert set(ask("rise", by="provider")) == {"openai"}
    assert ask("rise", minutes=40) == {}


def test_estimated_share_is_of_calls_that_did_not_fail(ask: Ask, land: Land) -> None:
    land(
        *calls(40, 60, provider="p", response_model="m"),
        *calls(12, 60, provider="p", response_model="m", source="estimated"),
        *calls(3, 60, provider="p", response_model="m", source="unknown", input_tokens=None, output_tokens=None),
        *calls(60, 60, provider="p", response_model="m", source="unknown", ended="error", input_tokens=None, output_tokens=None),
    )
    found = ask("estimated_share")
    assert values(found) == {"p / m": (round(1500 / 55, 2), True)}
    assert found["p / m"].detail == "of 55 calls in 24 hours 12 are estimated and 3 not known"
    land(*calls(60, 30, provider="p", response_model="m"))
    assert values(ask("estimated_share")) == {"p / m": (round(1500 / 115, 2), False)}


def test_unpriced_share_says_nothing_without_a_list_and_resolves_by_one(ask: Ask, land: Land, database: Client) -> None:
    land(
        *calls(30, 60, provider="p", response_model="new", request_model="new"),
        *calls(30, 60, provider="p", response_model="old", request_model="old"),
    )
    assert ask("unpriced_share") == {}
    load(database, parse('[[price]]\nprovider = "p"\nmodel = "old"\ninput = 1\noutput = 2\n'))
    assert values(ask("unpriced_share")) == {"p / new": (100.0, True), "p / old": (0.0, False)}
    load(database, parse('[[price]]\nprovider = "p"\nmodel = "*"\ninput = 1\noutput = 2\n'))
    assert values(ask("unpriced_share")) == {"p / new": (0.0, False), "p / old": (0.0, False)}


def test_findings_fire_once_they_are_open_for_a_day_and_resolve_when_somebody_says_why(ask: Ask, database: Client) -> None:
    def told(finding: str, version: int, minutes_ago: float, *, state: str = "open", source: str = "openai-cost", **figures: str) -> dict[str, Any]:
        return {
            "id": finding,
            "version": version,
            "row_id": f"{finding} {version}",
            "at": arrival(minutes_ago),
            "state": state,
            "source": source,
            "measures": list(figures),
            "stated": list(figures.values()),
            "counted": ["0"] * len(figures),
        }

    money, tokens = {"cost USD": "-12.5"}, {"input_tokens": "900", "requests": "3"}
    database.insert_json(
        "findings",
        [
            told("a", 1, 2 * DAY, **money),
            told("a", 2, HOUR, **money),  # the difference has changed since: it is open as long as before
            told("b", 1, 2 * DAY, **money),
            told("b", 2, 20 * HOUR, state="explained", **money),
            told("b", 3, HOUR, **money),  # open again, for an hour
            told("c", 1, 2 * DAY, state="open", source="openai-usage", **tokens),
            told("d", 1, 2 * DAY, source="verify"),
            told("e", 1, 2 * DAY, source="focus", **money),
            told("e", 2, 2, state="gone", source="focus", **money),
        ],
    )
    assert values(ask("open_findings")) == {"openai-cost": (1.0, True), "openai-usage": (1.0, True), "verify": (1.0, True)}
    assert (
        ask("open_findings")["openai-cost"].detail == "1 finding is open, the first one, a, since 2026-11-16 11:06 UTC: tokentrail reconcile findings"
    )
    assert values(ask("open_findings", hours=1)) == {"openai-cost": (2.0, True), "openai-usage": (1.0, True), "verify": (1.0, True)}
    assert values(ask("open_findings", minutes=-5))["focus"] == (1.0, True), "three minutes before it was gone"
    assert ask("open_findings", money=13, tokens=900).keys() == {"verify"}, "records that are missing have no amount"
    assert values(ask("open_findings", findings=1))["openai-cost"] == (1.0, False)
    database.insert_json("findings", [told("a", 3, 1, state="explained", **money), told("a", 3, 2, **money) | {"row_id": "late", "by_hand": True}])
    assert ask("open_findings", money=12, tokens=900).keys() == {"openai-cost", "verify"}, "of two rows of one version a person's counts"
    assert ask("open_findings", minutes=-3 * DAY) == {}


def test_missing_events_are_those_that_verify_names(ask: Ask, land: Land, database: Client) -> None:
    rows = [call(5, service="shop", number=number) for number in (1, 2, 5, 9, 20)]
    others = [call(5, service="search", number=number) for number in (1, 3)]
    told = [refused("3-4,6", by="shop"), refused("4,6-7", by="shop"), refused("9-12", by="shop")]
    land(*rows, *others, *(each | {"arrived_at": arrival(4)} for each in (*told, closing(22, by="shop"))))
    missing = {each.service_name: sum(_count(each.missing)) for each in verify(database).writers if each.missing}
    assert missing == {"shop": 10, "search": 1}
    assert values(ask("missing_events")) == {name: (float(count), True) for name, count in missing.items()}
    land(*(call(1, service="search", number=2) for _ in range(2)))
    assert values(ask("missing_events")) == {"shop": (10.0, True)}
    assert values(ask("missing_events", records=10)) == {"shop": (10.0, False)}
    assert ask("missing_events", minutes=8 * DAY) == {}, "who was not heard for a week is forgotten"


def _count(ranges: str) -> Iterable[int]:
    for part in ranges.split(","):
        low, _, high = part.partition("-")
        yield int(high or low) - int(low) + 1


def test_quarantine_fires_until_it_is_replayed_or_forgotten(ask: Ask, land: Land, database: Client) -> None:
    bad = [usage(seq=number, input_tokens="many") | {"arrived_at": arrival(60)} for number in (1, 2)]
    land(*bad, *calls(3, 5))
    ((subject, found),) = ask("quarantine").items()
    assert "bad count" in subject
    assert (found.value, found.firing) == (2.0, True)
    assert "2 records of shop in quarantine" in found.detail
    assert ask("quarantine", minutes=8 * DAY) == {}
    database.command("INSERT INTO quarantine SELECT * REPLACE (now64(3) AS version, now64(3) AS replayed_at) FROM quarantine FINAL")
    assert ask("quarantine") == {}


def test_reconciliation_is_what_verify_compares(ask: Ask, land: Land, database: Client) -> None:
    land(*calls(5, 5), claimed("k", seq=900, by="w"), claimed("gone", seq=901, by="w"), usage(seq=902, by="w", input_tokens="many"))
    assert ask("reconciliation") == {}
    land(claimed("k", seq=903, by="w", input_tokens=7, ts=START_NS - MINUTE))
    database.command("ALTER TABLE usage_ledger DELETE WHERE key_head = 'gone' OR key_kind = 'automatic' SETTINGS mutations_sync = 2")
    database.command("TRUNCATE TABLE quarantine")
    expected = {
        "calls arrived and are not in the ledger": (5.0, True),
        "claimed keys arrived and are not in the ledger": (1.0, True),
        "records are gone from quarantine": (1.0, True),
        "claimed keys were given different numbers": (1.0, True),
    }
    assert values(ask("reconciliation")) == expected
    proof = verify(database)
    lost = sum(count for each in proof.writers if each.lost_calls for count in _count(each.lost_calls))
    assert (lost, len(proof.lost_keys), len({each["key"] for each in proof.conflicts})) == (5, 1, 1)
    shown = answer(database, "reconciliation", {"services": ["shop"]}).dicts()
    assert {each["finding"]: (float(each["differing"]), True) for each in shown} == expected, "the dashboard Truth names each"
    assert {each["examples"] for each in shown if "key" in each["finding"]} == {"gone", "k"}
    assert len(shown[0]["examples"].split(", ")) == 5
    assert {each["service_name"] for each in shown} == {"shop"}
    assert answer(database, "reconciliation", {"services": ["nobody"]}).dicts() == []
    assert set(values(ask("reconciliation", minutes=9 * DAY))) == set(expected) - {"claimed keys were given different numbers"}
    database.command("INSERT INTO usage_landing (* EXCEPT (arrived_at)) SELECT * EXCEPT (arrived_at) FROM usage_landing")
    assert set(ask("reconciliation")) == {"claimed keys were given different numbers"}, "the arrivals are read again, as its page says"
    assert ask("reconciliation", minutes=9 * DAY) == {}


def test_late_arrivals_are_the_age_of_the_backlog(ask: Ask, land: Land) -> None:
    land(
        *calls(17, 3, late=1),
        *(call(late + 3, late=late) for late in (30.0, 40.0, 50.0)),
        call(60, late=59, duration_ns=58 * MINUTE),  # a long call, which arrived at its end
        *calls(9, 30, service="few", late=20),
    )
    found = ask("late_arrivals")
    assert set(found) == {"shop"}
    assert (found["shop"].value, found["shop"].firing) == (30.0, True)
    land(*calls(60, 1, late=0.5))
    assert not ask("late_arrivals")["shop"].firing
    assert ask("late_arrivals", minutes=20) == {}


def test_a_service_is_silent_if_it_usually_calls_at_this_hour(ask: Ask, land: Land) -> None:
    land(
        *calls(30, WEEK + 30),
        *calls(5, 75),
        *calls(30, WEEK + 30, service="search"),
        *calls(1, 10, service="search"),
        *calls(30, WEEK + 90, service="nightly"),
        *calls(40, DAY + 30, service="young"),
        *calls(40, WEEK + 30, service="weekly"),
        *calls(40, DAY + 30, service="weekly"),
    )
    found = ask("silent_service")
    assert {name for name, each in found.items() if each.firing} == {"shop", "young", "weekly"}
    assert values(found)["shop"] == (75.0, True)
    assert values(found)["search"] == (10.0, False)
    assert "30 calls at this hour a week ago" in found["shop"].detail
    assert "40 calls at this hour a day ago" in found["young"].detail
    land(*calls(1, 1))
    assert not ask("silent_service")["shop"].firing
    assert ask("silent_service", minutes=WEEK) == {}, "who is gone for good is forgotten"


def test_cache_share_drop_is_held_against_the_days_before(ask: Ask, land: Land) -> None:
    land(
        *calls(60, 3 * DAY, response_model="m", input_tokens=1000, cache_read_tokens=800),
        *calls(60, 60, response_model="m", input_tokens=1000, cache_read_tokens=300),
        *calls(60, 3 * DAY, response_model="few", input_tokens=1000, cache_read_tokens=800),
        *calls(40, 60, response_model="few", input_tokens=1000, cache_read_tokens=0),
    )
    assert values(ask("cache_share_drop")) == {"shop / m": (50.0, True)}
    assert values(ask("cache_share_drop", points=50)) == {"shop / m": (50.0, False)}
    land(*calls(600, 30, response_model="m", input_tokens=1000, cache_read_tokens=790))
    assert not ask("cache_share_drop")["shop / m"].firing


@pytest.fixture
def burn(database: Client) -> Callable[..., dict[str, dict[str, tuple[float, bool]]]]:
    """All conditions on budgets, as a check asks them: of one moment, and the ledger once."""

    def run(minutes: float = 0.0) -> dict[str, dict[str, tuple[float, bool]]]:
        asked = check(database, ON_BUDGETS, Thresholds(), at=NOW + timedelta(minutes=minutes))
        assert not asked.failed
        return {each.name[7:]: {of.subject: (of.value, of.firing) for of in asked.found if of.condition == each.name} for each in ON_BUDGETS}

    return run


def test_budgets_burn_over_two_windows(burn: Callable[..., Any], land: Land, database: Client) -> None:
    put(database, budgets('[[budget]]\nname = "m"\ntokens = 720_000\nper = "month"\n[[budget]]\nname = "d"\ntokens = 100_000\nper = "day"\n'))
    pace = 720_000 / (30 * 24)  # of November, an hour
    land(*calls(10, 30, input_tokens=1000, output_tokens=0))
    found = burn()
    assert found["burn_fast"] == {"m": (pytest.approx(10_000 / 6 / pace, abs=1e-3), False)}, "the pace of the last hour alone does not fire"
    assert found["burn_slow"] == {"m": (pytest.approx(10_000 / 24 / pace, abs=1e-3), False)}
    land(*calls(30, 200, input_tokens=1000, output_tokens=0), *calls(20, 400, input_tokens=1000, output_tokens=0))
    found = burn()
    assert found["burn_fast"] == {"m": (pytest.approx(40_000 / 6 / pace, abs=1e-3), True)}
    assert found["burn_slow"] == {"m": (pytest.approx(60_000 / 24 / pace, abs=1e-3), True)}
    assert found["spent"] == {"m": (pytest.approx(100 / 12, abs=0.02), False), "d": (60.0, False)}
    land(*calls(40, 5, input_tokens=1000, output_tokens=0))
    found = burn(61)
    assert found["burn_fast"] == {"m": (0.0, False)}, "nothing more is spent: it ends"
    assert found["spent"]["d"] == (100.0, True)
    found = burn(DAY)
    assert found["burn_slow"] == {"m": (0.0, False)}
    assert found["spent"]["d"] == (0.0, False)


def test_what_conditions_share_is_asked_once_and_says_the_same(land: Land, database: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a", "o'hara \\ {by:String}", "söhne\t{{x}}", 'say "b"']
    load(database, parse('[[price]]\nprovider = "openai"\nmodel = "*"\ninput = 1.000000001\noutput = 2\n'))
    put(database, budgets("".join(f"[[budget]]\nname = {json.dumps(name)}\nmoney = 0.01\nper = 'month'\n" for name in names)))
    land(*calls(10, 30, input_tokens=1000))
    moment = {"at": f"{NOW:%Y-%m-%d %H:%M:%S}"}
    alone = {each.name: [tuple(row.values()) for row in answer(database, each.question, moment).dicts()] for each in ON_BUDGETS}
    asked: list[str] = []
    query = database.query

    def counted(sql: str, parameters: Any = None, **more: Any) -> Any:
        asked.append(sql)
        return query(sql, parameters, **more)

    monkeypatch.setattr(database, "query", counted)
    found = check(database, ON_BUDGETS, Thresholds(), at=NOW).found
    assert sum("FROM usage" in sql for sql in asked) == 1
    together = {
        each.name: [(of.subject, of.value, of.threshold, of.clear, of.firing, of.detail) for of in found if of.condition == each.name]
        for each in ON_BUDGETS
    }
    assert together == alone
    assert len(together["budget_spent"]) == len(names)
    monkeypatch.setattr("tokentrail.alerts.once.LONGEST", 10)
    assert check(database, ON_BUDGETS[:1], Thresholds(), at=NOW).found == found[: len(names)], "too long for a statement: asked of the ledger again"


def test_a_condition_can_be_asked_for_some_calls_only(ask: Ask, land: Land) -> None:
    land(*calls(30, 5, service="a", ended="error", error_type="500"), *calls(30, 5, service="b"))
    (both,) = ask("error_share").values()
    assert (both.value, both.firing) == (50.0, True)
    (one,) = ask("error_share", services=["b"]).values()
    assert (one.value, one.firing) == (0.0, False)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_condition_is_whole(condition: Any, database: Client) -> None:
    columns = [column.name for column in condition.query.columns]
    assert columns == ["subject", "value", "threshold", "clear", "firing", "detail"]
    assert condition.threshold in condition.settable
    assert find(database, condition) == []
    page = (Path(__file__).parents[2] / "docs" / "runbooks" / f"{condition.name}.md").read_text("utf-8")
    for heading in ("## Look at", "## Do", "## Silence", f"tokentrail query condition_{condition.name}"):
        assert heading in page

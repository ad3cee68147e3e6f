"""Slack and PagerDuty take every message, however much fires, and an incident ends with its condition. The servers are stand-ins with the published
interfaces (`tests/support/notified_services.py`), to which apprise really sends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.notified_services import PAGERDUTY, ROUTING_KEY, SLACK, SLACK_TOKENS, Services, pagerduty_refuses, services, slack_refuses
from tokentrail.alerts.check import Asked, Told, tell
from tokentrail.alerts.conditions import BY_NAME, Finding
from tokentrail.alerts.targets import targets
from tokentrail.alerts.thresholds import parse
from tokentrail.clickhouse.client import Client

pytest.importorskip("apprise", reason="tokentrail[notify] is not installed")

START = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
TO_SLACK = f"slack://{SLACK_TOKENS}/#alerts"
TO_PAGERDUTY = f"pagerduty://{ROUTING_KEY}@a-token/tokentrail"
Check = Callable[..., Told]


def finding(subject: str, value: float = 20.0, condition: str = "error_share") -> Finding:
    return Finding(condition, subject, value, 10.0, 8.0, value > 10, f"of {subject} {value}")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    with services(tmp_path) as kept:
        for name, value in kept.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("apprise.plugins.slack.NotifySlack.request_rate_per_sec", 0)
        monkeypatch.setattr("apprise.plugins.pagerduty.NotifyPagerDuty.request_rate_per_sec", 0)
        yield kept


@pytest.fixture
def check(database: Client) -> Check:
    def run(minutes: float, found: list[Finding], *addresses: str) -> Told:
        asked = Asked(found, [BY_NAME["error_share"], BY_NAME["quarantine"]])
        return tell(database, asked, parse("[error_share]\nhold = 0"), targets(addresses), now=START + timedelta(minutes=minutes))

    return run


def test_an_incident_begins_once_and_ends_with_its_condition(check: Check, world: Services) -> None:
    check(0, [finding("a"), finding("q", condition="quarantine")], TO_PAGERDUTY, TO_SLACK)
    assert len(world.incidents()) == 2
    check(5, [finding("a"), finding("b"), finding("q", condition="quarantine")], TO_PAGERDUTY, TO_SLACK)
    check(10, [finding("b")], TO_PAGERDUTY, TO_SLACK)
    (summary,) = world.incidents().values()
    assert summary.startswith("tokentrail: error share"), "the quarantine's incident is over, that of the error share goes on with b"
    told = check(15, [], TO_PAGERDUTY, TO_SLACK)
    assert (world.incidents(), world.refused, told.failed) == ({}, [], [])
    severities = [event["payload"]["severity"] for event in world.of(PAGERDUTY) if event["event_action"] == "trigger"]
    assert severities[:2] == ["critical", "warning"], "a page and a ticket"
    texts = [str(message) for message in world.of(SLACK)]
    assert [("Firing" in text, "Resolved" in text) for text in texts] == [(True, False)] * 3 + [(False, True)] * 3


def test_ten_thousand_subjects_are_one_message_that_each_takes(check: Check, world: Services) -> None:
    many = [finding(f"{'tenant with a long name ' * 6}{number}") for number in range(10_000)]
    told = check(0, many, TO_PAGERDUTY, TO_SLACK)
    assert (told.sent, told.failed, world.refused) == (2, [], [])
    (event,) = world.of(PAGERDUTY)
    summary = event["payload"]["summary"]
    assert len(summary) <= 1024
    assert summary.endswith("- and more: tokentrail check lists them\nWhat to do: tokentrail check --runbook error_share")
    assert "and 9990 more" in str(world.of(SLACK))
    assert check(5, many, TO_PAGERDUTY, TO_SLACK).sent == 0
    assert check(10, [], TO_PAGERDUTY, TO_SLACK).sent == 2
    assert world.incidents() == {}


HOSTILE = "<!channel> <@U123> *b* &lt;!here&gt; <https://evil.example|bill> \r\n@everyone `x` " + "\U0001f600" * 4000


def test_names_are_no_mentions_or_links_for_slack(check: Check, world: Services) -> None:
    check(0, [finding(HOSTILE), finding('"}],"text":"injected')], TO_SLACK)
    (message,) = world.of(SLACK)
    (attachment,) = message["attachments"]
    assert not re.search(r"<[!@#]|<http|&lt;!here&gt;(?<!amp;lt;!here&amp;gt;)", attachment["text"])
    assert "injected" not in message.get("text", "")
    assert "@everyone" not in attachment["text"]


@pytest.mark.parametrize("status", [429, 500, 302, 307])
def test_what_is_not_taken_is_told_again(check: Check, world: Services, status: int) -> None:
    world.status = status
    assert len(check(0, [finding("a")], TO_PAGERDUTY, TO_SLACK).failed) == 2, "also where a page to log in on stands behind a redirect"
    world.status = 0
    assert check(5, [finding("a")], TO_PAGERDUTY, TO_SLACK).sent == 2
    assert check(10, [finding("a")], TO_PAGERDUTY, TO_SLACK).sent == 0


def test_an_address_that_states_its_action_keeps_it(check: Check, world: Services) -> None:
    check(0, [finding("a")], f"{TO_PAGERDUTY}?action=trigger")
    check(5, [], f"{TO_PAGERDUTY}?action=trigger")
    assert [event["event_action"] for event in world.of(PAGERDUTY)] == ["trigger", "trigger"]


def test_a_certificate_that_is_not_trusted_is_no_answer(check: Check, world: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert len(check(0, [finding("a")], TO_PAGERDUTY, TO_SLACK).failed) == 2
    assert world.taken == []


def test_the_stand_ins_refuse_what_the_services_refuse() -> None:
    event = {"routing_key": ROUTING_KEY, "event_action": "trigger", "payload": {"summary": "s", "source": "h", "severity": "critical"}}
    assert pagerduty_refuses("/v2/enqueue", "application/json", event) is None
    for change in (
        {"routing_key": "x"},
        {"event_action": "resolve"},
        {"payload": event["payload"] | {"summary": "s" * 1025}},
        {"dedup_key": "k" * 256},
    ):  # type: ignore[operator]
        refused = pagerduty_refuses("/v2/enqueue", "application/json", event | change)
        assert refused is not None
        assert refused[0] == 400
    assert slack_refuses(f"/services/{SLACK_TOKENS}", "application/json", {"text": "t"}) is None
    assert slack_refuses("/services/T/B/x", "application/json", {"text": "t"}) == (404, "no_service")
    assert slack_refuses(f"/services/{SLACK_TOKENS}", "application/json", {"text": ""}) == (400, "no_text")

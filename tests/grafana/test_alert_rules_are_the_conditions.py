"""Grafana takes the alert rules as they are, and their queries have the values of `tokentrail check`, through the data source's own layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import alert_check
from tests.support.ledger_rows import START_NS, usage
from tests.support.query_path import QueryPath
from tests.support.require import require
from tokentrail.alerts.conditions import BY_NAME, CONDITIONS, Condition, Finding, find
from tokentrail.budgets.files import parse
from tokentrail.budgets.store import put
from tokentrail.clickhouse.client import Client
from tokentrail.grafana.alerts import rules
from tokentrail.local.cache import Progress, Unavailable

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana" / "provisioning" / "alerting"
NOW = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=START_NS // 10**6)
HOSTILE = "<!channel> [x](http://e) `o'hara \\ söhne` | @all"


@pytest.fixture(scope="module")
def program() -> Path:
    built = alert_check.obtain(Progress(print))
    if isinstance(built, Unavailable):
        require("alert-check", str(built))
    return built


@pytest.fixture(scope="module")
def written() -> dict[str, dict[str, Any]]:
    """The rules as they are checked in, by the name of their condition."""
    (group,) = yaml.safe_load((FOLDER / "tokentrail-rules.yaml").read_text("utf-8"))["groups"]
    return {rule["labels"]["condition"]: rule for rule in group["rules"]}


def test_grafanas_own_models_take_the_files(program: Path) -> None:
    assert alert_check.problems(program, *sorted(FOLDER.glob("*.yaml"))) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("noDataState: OK", "noDataState: Fine", "noDataState"),
        ("condition: B", "condition: C", 'condition "C" is none of its queries'),
        ("expression: A", "expression: X", "which is no query before it"),
        ("title: rate limits", "title: error share", "there twice"),
        ("uid: tokentrail-rise", "uid: tokentrail rise", "letters, digits"),
        ("for: 5m", "for: 5 minutes", "for "),
        ("execErrState: Error", "onError: Error", "unknown field"),
        ("{from: 3110400, to: 0}", "{from: 0, to: 0}", "begins before it ends"),
    ],
)
def test_the_check_goes_red(program: Path, tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in rules()
    path = tmp_path / "rules.yaml"
    path.write_text(rules().replace(old, new, 1))
    found = alert_check.problems(program, path)
    assert any(sentence in each for each in found), found


def test_every_condition_is_a_rule_with_its_threshold_and_page(written: dict[str, dict[str, Any]]) -> None:
    assert list(written) == [condition.name for condition in CONDITIONS]
    for name, rule in written.items():
        condition = BY_NAME[name]
        (compared,) = rule["data"][1]["model"]["conditions"]
        threshold = condition.query.given()[condition.threshold]
        assert compared["evaluator"] == {"type": "gt", "params": [threshold]}
        assert compared["unloadEvaluator"]["params"] == [pytest.approx(float(str(threshold)) * condition.clears_at)]
        assert (Path(__file__).parents[2] / rule["annotations"]["runbook_url"]).is_file()
        assert rule["for"] == f"{condition.hold}m"


@pytest.fixture(scope="module")
def seeded(ledger: Client) -> Client:
    """Beside the seeded ledger what makes conditions fire, of names that hurt."""
    ledger.insert_json(
        "usage_landing",
        [
            usage(
                by="burst",
                seq=seq,
                ts=START_NS - seq * 10**9,
                content=str(seq),
                input_tokens=1000,
                more={"provider": HOSTILE, "ended": ended, "error_type": "500"},
            )
            for seq, ended in enumerate(["error", "complete"] * 20, 1)
        ],
    )
    put(ledger, parse(f'[[budget]]\nname = {json.dumps(HOSTILE)}\ntokens = 30_000\nper = "month"\n'))
    return ledger


@pytest.fixture(scope="module")
def checked(seeded: Client) -> Callable[[Condition], list[Finding]]:
    """What a check finds of a condition, asked once."""
    return cache(lambda condition: find(seeded, condition, at=NOW))


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_rules_query_has_the_values_of_the_check(
    condition: Condition, written: dict[str, dict[str, Any]], backend: QueryPath, checked: Callable[[Condition], list[Finding]]
) -> None:
    query = written[condition.name]["data"][0]
    start = START_NS // 10**6 - query["relativeTimeRange"]["from"] * 1000
    frames = backend.frames(query["model"]["rawSql"], output=query["model"]["format"], start=start, end=START_NS // 10**6)
    found = checked(condition)
    values = sorted(each.value for each in found)
    if not frames or not frames[0]:
        assert found == []
        return
    (frame,) = frames
    subject, value = frame
    assert [subject.name, value.name] == ["subject", "value"]
    assert (subject.type, value.type) == ("string", "number")
    assert sorted(float(each) for each in value.values) == values
    assert len(set(subject.values)) == len(subject.values) == len(found)
    for text in subject.values:
        assert 0 < len(text) <= 80
        assert not set(text) & set("<>@`|[]\n")
        assert "://" not in text


def test_something_fires_among_these(checked: Callable[[Condition], list[Finding]]) -> None:
    assert {each.condition for condition in CONDITIONS for each in checked(condition) if each.firing} >= {"error_share", "budget_spent"}

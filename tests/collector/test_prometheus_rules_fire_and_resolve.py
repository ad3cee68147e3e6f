"""Every rule for Prometheus fires on series that are made to fire it, and resolves when they are over, as Prometheus itself evaluates it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import prometheus
from tests.support.require import require
from tokentrail import semconv
from tokentrail.alerts.conditions import BY_NAME, CONDITIONS, Condition
from tokentrail.deploy.collector import config_folder

RULES = config_folder() / "prometheus-rules.yaml"
STEP = 5
HOUR, DAY, WEEK = 60, 24 * 60, 7 * 24 * 60
CALLS = "gen_ai_client_inference_duration_seconds_count"
INPUT = "gen_ai_client_inference_usage_input_tokens_total"
OUTPUT = "gen_ai_client_inference_usage_output_tokens_total"
CACHED = "gen_ai_client_inference_usage_cache_read_input_tokens_total"


@dataclass(frozen=True)
class Story:
    """Series over time, `(minutes, added each five minutes)` one after the other; when the alert fires, and when it does no more."""

    series: Mapping[str, tuple[tuple[int, float], ...]]
    labels: Mapping[str, str]
    fires: int
    quiet: tuple[int, ...]
    gauge: bool = False


def model(name: str, **labels: str) -> str:
    given = {"job": "shop", "gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt-4o", **labels}
    return f"{name}{{{', '.join(f'{key}={value!r}' for key, value in given.items())}}}".replace("'", '"')


WHO = {"gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt-4o"}
JOB = {"job": "shop"}
QUEUE = 'otelcol_exporter_queue_size{exporter="clickhouse/ledger"}'
CAPACITY = 'otelcol_exporter_queue_capacity{exporter="clickhouse/ledger"}'

STORIES = {
    "TokentrailErrorShare": Story(
        {
            model(CALLS): ((180, 20),),
            model(CALLS, error_type="500"): ((60, 0), (60, 5), (60, 0)),
            model(CALLS, error_type="429"): ((30, 5), (150, 0)),
        },
        WHO, 90, (50, 170),
    ),
    "TokentrailRateLimits": Story(
        {
            model(CALLS): ((180, 20),),
            model(CALLS, error_type="openai.RateLimitError"): ((60, 0), (60, 2), (60, 0)),
            model(CALLS, error_type="500"): ((30, 5), (150, 0)),
        },
        WHO, 90, (50, 170),
    ),
    "TokentrailSilentService": Story({model(CALLS): ((WEEK + 600, 10), (180, 0), (180, 10))}, JOB, WEEK + 700, (WEEK + 500, WEEK + 900)),
    "TokentrailRise": Story(
        {model(INPUT): ((2 * WEEK + 600, 10_000), (180, 50_000), (300, 10_000)), model(OUTPUT): ((2 * WEEK + 1080, 0),)},
        JOB, 2 * WEEK + 720, (2 * WEEK + 500, 2 * WEEK + 1000),
    ),
    "TokentrailCacheShareDrop": Story(
        {model(INPUT): ((WEEK + 2 * DAY, 1000),), model(CACHED): ((WEEK, 800), (DAY, 100), (DAY, 800))},
        {"job": "shop", "gen_ai_request_model": "gpt-4o"}, WEEK + 700, (WEEK - 60, WEEK + 2 * DAY - 60),
    ),
    "TokentrailJournalGrows": Story(
        {'tokentrail_journal_size_bytes{job="shop", instance="a"}': ((60, 0), (120, 3_000_000), (120, -3_000_000))},
        {"job": "shop", "instance": "a"}, 150, (60, 280), gauge=True,
    ),
    "TokentrailJournalRefuses": Story(
        {'tokentrail_journal_events_total{job="shop", instance="a", tokentrail_journal_outcome="refused"}': ((60, 0), (30, 3), (120, 0))},
        {"job": "shop", "instance": "a"}, 80, (60, 150),
    ),
    "TokentrailCollectorQueueFills": Story(
        {QUEUE: ((60, 0), (60, 150_000), (60, -150_000)), CAPACITY: ((5, 2_000_000), (175, 0))},
        {"exporter": "clickhouse/ledger"}, 125, (60, 178), gauge=True,
    ),
    "TokentrailCollectorQueueGrows": Story(
        {QUEUE: ((60, 0), (60, 10_000), (60, -10_000)), CAPACITY: ((5, 2_000_000), (175, 0))},
        {"exporter": "clickhouse/ledger"}, 110, (60, 170), gauge=True,
    ),
    "TokentrailCollectorPortRefuses": Story(
        {'otelcol_exporter_send_failed_log_records{exporter="clickhouse/ledger_port"}': ((60, 0), (60, 5), (60, 0))},
        {"exporter": "clickhouse/ledger_port"}, 100, (60, 170),
    ),
    "TokentrailCollectorReceiverRefuses": Story(
        {'otelcol_receiver_refused_log_records_total{receiver="otlp"}': ((60, 0), (60, 5), (60, 0))}, {"receiver": "otlp"}, 100, (60, 170)
    ),
    "TokentrailCollectorLoses": Story(
        {'otelcol_exporter_send_failed_log_records_total{exporter="otlp_grpc/ledger"}': ((60, 0), (10, 5), (90, 0))},
        {"exporter": "otlp_grpc/ledger"}, 75, (60, 120),
    ),
    "TokentrailCheckHasNotRun": Story(
        {'tokentrail_check_timestamp_seconds{instance="a"}': ((60, 300), (120, 0), (30, 1800), (30, 300))}, {"instance": "a"}, 150, (30, 90, 230),
        gauge=True,
    ),
    "TokentrailCheckCannotAnswer": Story(
        {'tokentrail_condition_answered{condition="quarantine", instance="a"}': ((5, 1), (5, -1), (60, 0), (5, 1), (60, 0))},
        {"condition": "quarantine"}, 40, (15, 100), gauge=True,
    ),
}  # fmt: skip


def of_check(condition: Condition) -> Story:
    """A subject rises from 0 above the threshold, falls to where the alert still goes on, and to where it ends; another file has the same of before."""
    threshold = float(str(condition.query.given()[condition.threshold]))
    clear = threshold * condition.clears_at
    above, between = threshold + 10, (threshold + clear) / 2
    labels = f'condition="{condition.name}", subject="o\'hara \\\\ söhne"'
    value = ((60, 0), (5, above), (55, 0), (5, between - above), (55, 0), (5, clear - between), (55, 0))
    return Story(
        {
            f'tokentrail_condition_value{{{labels}, instance="a"}}': value,
            f'tokentrail_condition_value{{{labels}, instance="left behind"}}': ((240, 0),),
            f'tokentrail_condition_threshold{{condition="{condition.name}", instance="a"}}': ((5, threshold), (235, 0)),
            f'tokentrail_condition_clear{{condition="{condition.name}", instance="a"}}': ((5, clear), (235, 0)),
        },
        {"subject": "o'hara \\\\ söhne"}, 170 if clear < threshold else 110, (55, 235), gauge=True,
    )  # fmt: skip


OVER_CHECK = [each for each in CONDITIONS if each.alertname not in STORIES]
STORIES |= {each.alertname: of_check(each) for each in OVER_CHECK}


@pytest.fixture(scope="module")
def program() -> Path:
    path = prometheus.found("promtool")
    if path is None:
        require("promtool", "it is not installed: apt-get install prometheus")
    return path


@pytest.fixture(scope="module")
def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False, timeout=240)


def values(story: Story, parts: tuple[tuple[int, float], ...]) -> str:
    """The series in promtool's notation, from 0 on."""
    now, written = 0.0, []
    for minutes, step in parts:
        steps = minutes // STEP
        written.append(f"{now:.12g}{step:+.12g}x{steps - 1}" if steps > 1 else f"{now + (step if story.gauge else 0):.12g}")
        now += step * steps
    return " ".join(written)


def firing(alert: str, rule: Mapping[str, Any], labels: Mapping[str, str], minute: int, *, fires: bool) -> dict[str, Any]:
    named = {"__name__": "ALERTS", "alertname": alert, "alertstate": "firing", **rule["labels"], **labels}
    sample = {"labels": "{" + ", ".join(f'{key}="{value}"' for key, value in named.items()) + "}", "value": 1}
    return {"expr": f'ALERTS{{alertname="{alert}", alertstate="firing"}}', "eval_time": f"{minute}m", "exp_samples": [sample] if fires else []}


def test_prometheus_takes_the_rules(program: Path) -> None:
    checked = run(program, "check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("alert", STORIES)
def test_a_rule_fires_and_resolves(program: Path, rules: dict[str, dict[str, Any]], alert: str, tmp_path: Path) -> None:
    story, rule = STORIES[alert], rules[alert]
    told = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{STEP}m",
        "tests": [
            {
                "interval": f"{STEP}m",
                "input_series": [{"series": series, "values": values(story, parts)} for series, parts in story.series.items()],
                "promql_expr_test": [
                    firing(alert, rule, story.labels, story.fires, fires=True),
                    *(firing(alert, rule, story.labels, minute, fires=False) for minute in story.quiet),
                ],
            }
        ],
    }
    path = tmp_path / "story.yaml"
    path.write_text(yaml.safe_dump(told), "utf-8")
    tested = run(program, "test", "rules", str(path))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_rule_has_a_story_a_condition_and_a_page(rules: dict[str, dict[str, Any]]) -> None:
    assert set(rules) == set(STORIES)
    assert {rule["labels"].get("condition") for rule in rules.values()} - {None} == set(BY_NAME), "each condition has a rule"
    for rule in (rule for rule in rules.values() if "condition" in rule["labels"]):
        condition = rule["labels"]["condition"]
        assert condition in BY_NAME
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{condition}.md"
        assert {"summary", "description"} < set(rule["annotations"])


SERVICE = """
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import generate_latest

metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
import tokentrail

tokentrail.track_token_usage(
    token_type="llm", operation="query", tenant_id="acme", provider="groq", model="llama", input_tokens=12, output_tokens=5,
    cache_read_tokens=3, duration=1.5,
)
print(generate_latest().decode())
"""


def test_metrics_and_labels_are_those_that_a_service_exports(tmp_path: Path) -> None:
    """By the official exporter, whose names are those of OpenTelemetry's translation for Prometheus."""
    environment = os.environ | {"TOKENTRAIL_JOURNAL_DIR": str(tmp_path / "journal"), "TOKENTRAIL_SHIP": "false"}
    ran = subprocess.run([sys.executable, "-c", SERVICE], env=environment, capture_output=True, text=True, check=True, timeout=120)
    exported = {name: set(re.findall(r'(\w+)="', labels)) for name, labels in re.findall(r"^(\w+)\{(.*)\} ", ran.stdout, re.MULTILINE)}
    written = RULES.read_text("utf-8")
    used = set(re.findall(r"\b((?:gen_ai_client|tokentrail_journal)_\w+)(?=[\[{ )])", written))
    assert used
    assert used <= set(exported), used - set(exported)
    assert exported[CALLS] >= {"gen_ai_provider_name", "gen_ai_request_model"}
    assert exported[INPUT] >= {"gen_ai_request_model"}
    assert exported["tokentrail_journal_events_total"] >= {"tokentrail_journal_outcome"}
    by = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", written) for label in labels.split(",")}
    assert by - {"job", "instance", "condition", "subject"} <= exported[CALLS], (
        "job and instance are what Prometheus makes of the resource, the others are of the check"
    )
    assert semconv.ERROR_TYPE.replace(".", "_") in written

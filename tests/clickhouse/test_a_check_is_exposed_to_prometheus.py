"""What a check has found is Prometheus's text: every reader takes it, whatever subjects are called, and a check that failed leaves the former one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client.openmetrics.parser import text_string_to_metric_families as as_openmetrics
from prometheus_client.parser import text_string_to_metric_families as as_text

from tests.support import prometheus
from tests.support.ledger_rows import Land, usage
from tests.support.require import require
from tokentrail.alerts.check import Asked
from tokentrail.alerts.conditions import BY_NAME, CONDITIONS, Finding
from tokentrail.alerts.metrics import MOST_SUBJECTS, exposed
from tokentrail.alerts.thresholds import Thresholds, parse
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client

NOW = datetime(2026, 11, 27, 12, tzinfo=timezone.utc)
READERS = {"text": as_text, "OpenMetrics": as_openmetrics}
Samples = dict[tuple[str, str, str], float]


def samples(text: str, reader: Callable[[str], Any] = as_text) -> Samples:
    return {
        (each.name, each.labels.get("condition", ""), each.labels.get("subject", "")): each.value
        for family in reader(text)
        for each in family.samples
    }


def finding(subject: str, value: float, condition: str = "error_share") -> Finding:
    return Finding(condition, subject, value, 10.0, 8.0, value > 10, "")


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_each_condition_and_subject_has_its_value_and_threshold(reader: Callable[[str], Any]) -> None:
    asked = Asked([finding("p / m", 20.25), finding("q / m", 9)], [BY_NAME["error_share"], BY_NAME["quarantine"]], {"rise": "it failed"})
    text = exposed(asked, parse("[error_share]\npercent = 15"), NOW)
    assert samples(text, reader) == {
        ("tokentrail_condition_value", "error_share", "p / m"): 20.25,
        ("tokentrail_condition_value", "error_share", "q / m"): 9.0,
        ("tokentrail_condition_firing", "error_share", "p / m"): 1.0,
        ("tokentrail_condition_firing", "error_share", "q / m"): 0.0,
        ("tokentrail_condition_threshold", "error_share", ""): 15.0,
        ("tokentrail_condition_threshold", "quarantine", ""): 0.0,
        ("tokentrail_condition_clear", "error_share", ""): 12.0,
        ("tokentrail_condition_clear", "quarantine", ""): 0.0,
        ("tokentrail_condition_subjects", "error_share", ""): 2.0,
        ("tokentrail_condition_subjects", "quarantine", ""): 0.0,
        ("tokentrail_condition_answered", "error_share", ""): 1.0,
        ("tokentrail_condition_answered", "quarantine", ""): 1.0,
        ("tokentrail_condition_answered", "rise", ""): 0.0,
        ("tokentrail_check_timestamp_seconds", "", ""): NOW.timestamp(),
    }


HOSTILE = ['"} 1\nevil{a="', "\\", 'a\\"', "a\r\nb", "\u2028", "", "\x00", "\udcff", "🜁" * 400, "# EOF", "{{ $value }}"]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_whatever_subjects_are_called_no_reader_stumbles(reader: Callable[[str], Any]) -> None:
    found = [finding(name, number) for number, name in enumerate(HOSTILE)]
    told = samples(exposed(Asked(found, [BY_NAME["error_share"]]), Thresholds(), NOW), reader)
    assert {name for name, *_ in told if not name.startswith("tokentrail_")} == set()
    values = {subject: value for (name, _, subject), value in told.items() if name == "tokentrail_condition_value"}
    assert values["(none)"] == 7.0, "names that read alike are one series, with the highest value"
    assert values["a b"] == 3.0
    assert values['"} 1 evil{a="'] == 0.0
    assert max(map(len, values)) == 250


def test_prometheus_itself_takes_the_text() -> None:
    program = prometheus.found("promtool")
    if program is None:
        require("promtool", "it is not installed: apt-get install prometheus")
    text = exposed(Asked([finding(name, 1) for name in HOSTILE], list(CONDITIONS)), Thresholds(), NOW)
    checked = subprocess.run([str(program), "check", "metrics"], input=text.encode(), capture_output=True, check=False, timeout=60)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_of_many_subjects_the_highest_have_series_and_all_are_counted() -> None:
    text = exposed(Asked([finding(f"tenant {number}", number) for number in range(10_000)], [BY_NAME["error_share"]]), Thresholds(), NOW)
    told = samples(text)
    assert told["tokentrail_condition_subjects", "error_share", ""] == 10_000
    assert [subject for name, _, subject in told if name == "tokentrail_condition_value"] == [
        f"tenant {number}" for number in range(9_999, 9_999 - MOST_SUBJECTS, -1)
    ]
    assert len(text) < 20_000


@pytest.fixture
def check(dsn: str, database: Client, land: Land) -> Callable[..., Result]:
    ts = int(datetime.now(timezone.utc).timestamp()) * 10**9 - 60 * 10**9
    land(*(usage(seq=number, ts=ts + number, content=str(number), more={"ended": "error", "error_type": "500"}) for number in range(1, 31)))
    return lambda *arguments, **env: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn} | env).invoke(cli, ["check", *arguments])


def test_the_command_replaces_the_file_and_a_failure_leaves_it(check: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "textfile" / "tokentrail.prom"
    nowhere = check("error_share", "--metrics", str(path))
    assert nowhere.exit_code == 2
    assert "cannot be written: No such file" in nowhere.stderr
    assert "✗ 1 firing" in nowhere.stdout, "the table, and whoever is told, do not depend on the file"
    path.parent.mkdir()
    began = datetime.now(timezone.utc).timestamp()
    shown = check("error_share", "quarantine", "--metrics", str(path))
    assert shown.exit_code == 1, "as without: something fires"
    written = path.read_text("utf-8")
    told = samples(written)
    assert [value for (name, *_), value in told.items() if name == "tokentrail_condition_firing"] == [1.0]
    assert began - 0.001 <= told["tokentrail_check_timestamp_seconds", "", ""] <= datetime.now(timezone.utc).timestamp()
    away = check("error_share", "--metrics", str(path), TOKENTRAIL_CLICKHOUSE_DSN="http://127.0.0.1:9/none")
    assert away.exit_code == 2
    assert path.read_text("utf-8") == written, "the time of the last check grows old, which a rule sees"
    assert [each.name for each in path.parent.iterdir()] == [path.name], "nothing that node_exporter would read is left beside"
    assert path.stat().st_mode & 0o444 == 0o444, "another user reads it"

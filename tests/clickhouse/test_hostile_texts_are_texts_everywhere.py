"""Tenants, models, services, operations and metadata of any characters, through every question and in every form of an answer.

Pages in a browser: tests/pages/test_hostile_names_are_text.py. Grafana's variables: tests/grafana/test_hostile_addresses_are_harmless.py.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.pages.hostile import HOSTILE
from tests.support.ledger_rows import usage
from tokentrail.alerts.messages import harmless
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import connect
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.ledger.query import questions, read
from tokentrail.mcp.tools import ask
from tokentrail.spreadsheets import no_formula

SQL = (
    "' OR 1 = 1 --",
    "'; DROP TABLE usage_ledger; --",
    "\\",
    "\\'",
    "{to:String}",
    "{{grouping}}",
    "$__timeFilter(ts)",
    "${tenant}",
    "`x`",
    '"',
    "/*",
    "*/ UNION ALL SELECT 1",
    "%",
    "_",
    "-- ",
    "a\nb",
)
"""Texts that end a literal, a comment or a placeholder somewhere."""
FORMULAS = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", '=HYPERLINK("http://evil.example")')
STEERING = ("\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202eevil", "\u2066x", "\u200bx", "\r", "\x08\x08", "\x1b]8;;http://evil.example\x1b\\x")
MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "| a | b |",
    "[x](javascript:alert(1))",
    "<!channel>",
    "@here",
    "&#x3c;b&#x3e;",
)
TEXTS = tuple(dict.fromkeys(text[:300] for text in (*HOSTILE, *SQL, *FORMULAS, *STEERING, *MARKUP) if text))

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def hostile_dsn(engine_dsn: str) -> Iterator[str]:
    """A ledger whose every text is one of those above."""
    client = connect(f"{engine_dsn}?database=hostile", create=True)
    migrate(client, Target("hostile"))
    rows = []
    for number, text in enumerate(TEXTS, 1):
        stated = {"provider": text, "request_model": text, "response_model": text, "operation": text, "operation_id": text, "endpoint": text}
        more = {**stated, "error_type": text, "server_address": text, "metadata": json.dumps({"team": text, text: "x"}), "duration_ns": 10**9}
        rows.append(usage(seq=number, tenant=text, input_tokens=number, more={**more, "trace_id": f"{number:032x}"}) | {"ServiceName": text})
    client.insert_json("usage_landing", rows)
    yield f"{engine_dsn}?database=hostile"
    client.command("DROP DATABASE hostile SYNC")
    client.close()


@pytest.fixture
def run(hostile_dsn: str) -> Run:
    def invoke(*arguments: str) -> Result:
        result = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": hostile_dsn, "COLUMNS": "200"}).invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        return result

    return invoke


EVER = ("-pfrom=2020-01-01", "-pto=2100-01-01")


IN_EVERY_FORM = ("latest_calls", "names", "tokens", "errors")
"""Questions whose answers hold each kind of text: each form of an answer is made by one function for all questions."""


def given(name: str) -> list[str]:
    query = read(name)
    needed = [f"-p{each.name}=x" for each in query.parameters if each.default is None]
    ranged = {"from", "to"} <= {each.name for each in query.parameters}
    return [*needed, *(EVER if ranged else ())]


def steers(text: str) -> list[str]:
    """Signs that a terminal obeys, or that hide others."""
    return [sign for sign in text if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf")]


@pytest.mark.parametrize("name", questions())
def test_an_answer_is_the_same_in_every_form_and_steers_nothing(run: Run, name: str) -> None:
    rows = json.loads(run("query", name, *given(name), "--json").stdout)
    head, *lines = csv.reader(io.StringIO(run("query", name, *given(name), "--format", "csv").stdout, newline=""))
    assert head == [column.name for column in read(name).columns]
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        for value, cell in zip(row.values(), line, strict=True):
            if isinstance(value, str) and not is_number(value):
                assert cell == no_formula(value)
    for form in ("table", "vertical", "markdown") if name in IN_EVERY_FORM else ("table",):
        shown = run("query", name, *given(name), "--format", form).stdout
        assert not steers(shown), steers(shown)
    if rows and name in IN_EVERY_FORM:
        cells = {bar_count(line) for line in run("query", name, *given(name), "--format", "markdown").stdout.splitlines() if line.startswith("|")}
        assert cells == {len(head) + 1}


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def bar_count(line: str) -> int:
    return line.replace("\\\\", "").replace("\\|", "").count("|")


@pytest.mark.parametrize("name", questions())
def test_a_value_is_a_value_in_every_parameter(run: Run, hostile_dsn: str, name: str) -> None:
    texts = []
    for wanted in read(name).parameters:
        if wanted.type in ("String", "Array(String)") and not wanted.choices:
            values = TEXTS if wanted.type == "Array(String)" else TEXTS[:1]
            texts += [f"-p{wanted.name}={f'endpoint={value}' if wanted.name == 'where' else value}" for value in values]
    CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": hostile_dsn}).invoke(cli, ["query", name, *given(name), *texts, "--json"])
    client = connect(hostile_dsn)
    assert client.query("SELECT count() FROM usage_ledger").rows[0][0] == len(TEXTS)
    client.close()


@pytest.mark.parametrize("parameter", ["tenants", "models"])
def test_a_name_selects_its_own_calls_and_no_others(hostile_dsn: str, parameter: str) -> None:
    for number, text in enumerate(TEXTS, 1):
        found = ask(hostile_dsn, "tokens", {"by": "tenant_id", "from": "2020-01-01", "to": "2100-01-01", parameter: [text]}).structure["rows"]
        assert [(row["name"], row["input_tokens"]) for row in found] == [(text, number)], (parameter, text)


def test_an_assistants_answer_is_one_json_object(hostile_dsn: str) -> None:
    answered = ask(hostile_dsn, "tokens", {"by": "tenant_id", "from": "2020-01-01", "to": "2100-01-01", "rows": 1000})
    assert {row["name"] for row in answered.structure["rows"]} == set(TEXTS)
    assert not steers(answered.text.replace("\u200b", "").replace("\u202e", "").replace("\u2066", "").replace("\x9b", ""))


@pytest.mark.parametrize("dimension", ["tenant_id", "metadata.team"])
def test_reports_in_every_form(run: Run, dimension: str) -> None:
    asked = ("report", "--by", dimension, "--from", "2020-01-01", "--limit", "0")
    lines = list(csv.reader(io.StringIO(run(*asked, "--format", "csv").stdout, newline="")))[1:]
    assert {line[0] for line in lines} == {text if is_number(text) else no_formula(text) for text in TEXTS}
    for form in ("table", "vertical", "markdown"):
        assert not steers(run(*asked, "--format", form).stdout)
    assert not steers(run(*asked).stdout)


class Tags(HTMLParser):
    """The elements of a page, and what runs or leads elsewhere in them."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.harm: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag in ("script", "iframe", "object", "embed", "base", "meta") and not dict(attrs).keys() & {"charset", "name"}
        self.harm += [(name, value) for name, value in attrs if name.startswith("on") or (value or "").strip().lower().startswith("javascript:")]


def test_a_page_has_no_element_of_a_names(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run("report", "--html", str(page), "--from", "2020-01-01")
    tags = Tags()
    tags.feed(page.read_text())
    assert tags.harm == []
    plain = Tags()
    plain.feed(page.read_text().split("<body", 1)[0])
    assert tags.scripts == plain.scripts


@pytest.mark.parametrize("text", TEXTS)
def test_a_notification_holds_no_markup(text: str) -> None:
    said = harmless(text)
    assert not steers(said)
    assert not any(sign in said for sign in "<>@[]`|\n")
    assert "://" not in said


def test_a_file_may_have_any_name(run: Run, hostile_dsn: str, tmp_path: Path) -> None:
    for name in ("=cmd.csv", "-rf.csv", "a\x1b[2Jb.csv", "a\nb.csv", "$(id).csv", "'; --.csv"):
        said: Any = run("export", "focus", str(tmp_path / name), "--from", "2020-01-01")
        assert (tmp_path / name).is_file()
        assert not steers(said.output), name
    refused = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": hostile_dsn}).invoke(cli, ["export", "focus", str(tmp_path / "a\x1b[2J.txt")])
    assert refused.exit_code == 2
    assert not steers(refused.output)

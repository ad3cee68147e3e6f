"""`tokentrail prices` loads lists; `report --cost` shows money, and beside it the calls of which it knows less than all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import usage
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import connect

Run = Callable[..., Result]
OURS = """
[[price]]
provider = "openai"
model = "gpt-4o*"
input = 2
output = 8

[[price]]
provider = "llama_cpp"
model = "*"
currency = "EUR"
hour = 1
"""


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger of its own: priced in two currencies, and not priced."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    with ServerProcess.started(tmp_path_factory.mktemp("spent")) as server:
        client = connect(server.addresses.dsn)
        rows = [
            usage(seq=1, tenant="acme", input_tokens=1_000_000, output_tokens=500_000),
            usage(seq=2, tenant="acme", input_tokens=1_000_001, output_tokens=0, source="estimated"),
            usage(seq=3, tenant="globex", more={"provider": "llama_cpp", "response_model": "smollm2", "duration_ns": 1800 * 10**9}),
            usage(seq=4, tenant="globex", more={"provider": "groq", "request_model": "llama", "response_model": "llama"}),
            usage(seq=5, tenant="globex", input_tokens=None, output_tokens=None, source="unknown"),
        ]
        client.insert_json("usage_landing", rows)
        client.close()
        yield server.addresses.dsn


@pytest.fixture
def run(spent: str) -> Run:
    return lambda *arguments: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": spent, "COLUMNS": "200"}).invoke(cli, arguments)


def test_own_prices_are_loaded_and_a_report_shows_the_money(run: Run, tmp_path: Path) -> None:
    assert run("prices", "list").stdout == "no list is loaded: tokentrail prices update loads a public one\n"
    without = json.loads(run("report", "--by", "provider", "--cost", "--json").stdout)
    assert "no call here has a price: tokentrail prices update" in run("report", "--cost").stderr
    assert {(row["provider"], row["cost"], row["currency"]) for row in without} == {("openai", None, ""), ("llama_cpp", None, ""), ("groq", None, "")}
    ours = tmp_path / "ours.toml"
    ours.write_text(OURS)
    assert run("prices", "load", str(ours), "--check").stdout == f"{ours} is well: 2 prices\n"
    assert run("prices", "list", "--json").stdout == "[]\n"
    assert run("prices", "load", str(ours)).stdout == "own: 2 prices loaded\n"
    (listed,) = json.loads(run("prices", "list", "--json").stdout)
    assert (listed["source"], listed["prices"], listed["versions"]) == ("own", 2, 1)

    rows = json.loads(run("report", "--by", "provider", "--cost", "--json").stdout, parse_float=Decimal)
    by_provider = {(row["provider"], row["currency"]): row for row in rows}
    assert list(rows[0])[:2] == ["provider", "currency"]
    assert by_provider["openai", "USD"]["cost"] == Decimal("8.000002")
    assert by_provider["openai", "USD"]["uncounted_calls"] == 1
    assert by_provider["llama_cpp", "EUR"]["cost"] == Decimal("0.5")
    assert (by_provider["groq", ""]["cost"], by_provider["groq", ""]["unpriced_calls"]) == (None, 1)
    table = run("report", "--by", "provider", "--cost").stdout
    assert "has a price" not in run("report", "--by", "provider", "--cost").stderr
    assert "currency" in table
    assert "8.000002" in table
    assert "unpriced" in table
    one = run("report", "--by", "tenant_id", "--cost", "--tenant", "acme").stdout
    assert "currency" not in one
    assert one.count("8.000002") == 2, "the row and the total"

    costs = json.loads(run("query", "cost", "-p", "by=tenant_id", "--json").stdout)
    assert {(row["name"], row["currency"]) for row in costs} == {("acme", "USD"), ("globex", "EUR"), ("globex", "USD"), ("globex", "")}
    (estimated,) = (row["estimated_cost"] for row in costs if row["name"] == "acme")
    assert estimated == 2.000002
    states = {row["provider"]: row["cost_state"] for row in json.loads(run("query", "prices", "-p", "providers=groq", "--json").stdout)}
    assert states == {"groq": "unpriced"}


def test_costs_are_reported_in_one_currency(run: Run, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(OURS)
    assert run("prices", "load", str(ours)).exit_code == 0
    for currency in ("EUR", "JPY"):
        refused = run("report", "--by", "provider", "--currency", currency)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "no rate of exchange at the time of a call: tokentrail query currencies names it" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
    rates = tmp_path / "rates.toml"
    rates.write_text('[[rate]]\ncurrency = "EUR"\nusd = "1.25"\nfrom = 2020-01-01\n')
    assert run("prices", "load", str(rates), "--check").stdout == f"{rates} is well: 1 exchange rate\n"
    assert run("prices", "load", str(rates)).stdout == "own: 1 exchange rate loaded\n"
    rows = json.loads(run("report", "--by", "provider", "--currency", "EUR", "--json").stdout, parse_float=Decimal)
    assert {(row["provider"], row["currency"]): row["cost"] for row in rows} == {
        ("openai", "EUR"): Decimal("6.4000016"),
        ("llama_cpp", "EUR"): Decimal("0.5"),
        ("groq", ""): None,
    }
    whole = json.loads(run("report", "--by", "", "--currency", "USD", "--json").stdout, parse_float=Decimal)
    assert {row["currency"]: row["cost"] for row in whole} == {"USD": Decimal("8.625002"), "": None}
    wrong = run("report", "--currency", "euro")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "'euro' is no currency: write three letters" in wrong.stderr


def test_a_public_list_is_loaded(run: Run) -> None:
    pytest.importorskip("genai_prices", reason="genai-prices needs Python 3.11")
    loaded = run("prices", "update")
    assert loaded.exit_code == 0, loaded.output
    assert loaded.stdout.startswith("genai-prices ")
    assert loaded.stdout.endswith(" prices loaded\n")
    assert {row["source"] for row in json.loads(run("prices", "list", "--json").stdout)} >= {"genai-prices"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "there is no [[price]], and no [[rate]]"),
        (OURS.replace("input = 2", "input = -2"), "price 1: input is -2"),
        (OURS.replace("hour", "houre"), "Did you mean hour?"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(run: Run, tmp_path: Path, content: str, sentence: str) -> None:
    before = run("prices", "list", "--json").stdout
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(content)
    for options in ((), ("--check",)):
        ran = run("prices", "load", str(wrong), *options)
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert sentence in ran.stderr
        assert len(ran.stderr.strip().splitlines()) == 1
    assert run("prices", "load", str(tmp_path / "absent")).exit_code == 2
    assert run("prices", "list", "--json").stdout == before

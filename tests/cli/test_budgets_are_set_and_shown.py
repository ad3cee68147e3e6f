"""`tokentrail budgets` sets budgets and shows what is spent; misuse is one sentence, exit code 2, and changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import usage
from tokentrail.cli.group import cli
from tokentrail.cli.tables import shown
from tokentrail.clickhouse.client import connect

Run = Callable[..., Result]
HOSTILE = "<script>alert('=1+1')</script> \u202e`"


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger of its own, with calls of this moment."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    now = time.time_ns()
    with ServerProcess.started(tmp_path_factory.mktemp("spent")) as server:
        client = connect(server.addresses.dsn)
        rows = [
            usage(seq=1, ts=now - 9, tenant="acme", input_tokens=1_000_000, output_tokens=500_000),
            usage(seq=2, ts=now - 8, tenant=HOSTILE, input_tokens=500_000, output_tokens=0, source="estimated"),
            usage(seq=3, ts=now - 7, tenant="acme", more={"provider": "groq", "request_model": "llama", "response_model": "llama"}),
        ]
        client.insert_json("usage_landing", rows)
        client.close()
        yield server.addresses.dsn


@pytest.fixture
def run(spent: str) -> Run:
    return lambda *arguments: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": spent, "COLUMNS": "250"}).invoke(cli, arguments)


def test_budgets_are_set_loaded_shown_and_removed(run: Run, tmp_path: Path) -> None:
    assert run("budgets", "list").stdout == "no budget is set: tokentrail budgets set --help\n"
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nprovider = "openai"\nmodel = "*"\ninput = 2\noutput = 8\n[[rate]]\ncurrency = "EUR"\nusd = "1.25"\nfrom = 2026-01-01\n'
    )
    assert run("prices", "load", str(prices)).stdout == "own: 1 price and 1 exchange rate loaded\n"

    money = ("--money", "9.60", "--currency", "EUR", "--per", "year", "--timezone", "Europe/Madrid")
    assert run("budgets", "set", "acme", *money, "--tenant", "acme").stdout == "acme: set\n"
    assert run("budgets", "set", HOSTILE, "--tokens", "1000000", "--per", "year", "--tenant", HOSTILE).exit_code == 0
    rows = {row["name"]: row for row in json.loads(run("budgets", "list", "--json").stdout, parse_float=Decimal)}
    assert (rows["acme"]["spent"], rows["acme"]["currency"], rows["acme"]["unpriced_calls"]) == (Decimal("4.8"), "EUR", 1)
    assert (rows["acme"]["share"], rows["acme"]["is_lower_bound"]) == (Decimal("0.5"), 1)
    assert (rows[HOSTILE]["spent"], rows[HOSTILE]["estimated_share"], rows[HOSTILE]["is_lower_bound"]) == (500_000, 1, 0)
    table = run("budgets", "list").stdout
    assert "at least: 1 call without a price" in table
    assert "tenant acme" in table
    assert "100.0 % estimated" in table

    assert run("budgets", "remove", "acme").stdout == "removed: acme\n"
    ours = tmp_path / "ours.toml"
    ours.write_text('[[budget]]\nname = "all"\nper = "month"\ntokens = 20_000_000\n')
    assert run("budgets", "load", str(ours), "--check").stdout == f"{ours} is well: 1 budget\n"
    assert run("budgets", "load", str(ours)).stdout == f"1 budget set, and removed: {shown(HOSTILE)}\n"
    (row,) = json.loads(run("query", "budgets", "--json").stdout)
    assert (row["name"], row["spent"], row["amount"]) == ("all", 2_000_015, 20_000_000)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("set", "x", "--per", "month"), "the budget (x) has no amount"),
        (("set", "x", "--per", "month", "--tokens", "5", "--money", "5"), "has tokens and money"),
        (("set", "x", "--per", "month", "--tokens", "many"), "tokens is 'many': write an amount"),
        (("set", "x", "--per", "month", "--money", "-1"), "money is -1: an amount from 0"),
        (("set", "x", "--per", "month", "--money", "1", "--currency", "eur"), "currency is 'eur': write three letters"),
        (("set", "x", "--per", "month", "--money", "1", "--timezone", "Madrid"), "'Madrid' is no time zone"),
        (("set", "", "--per", "month", "--money", "1"), "name is ''"),
        (("remove", "absent"), "there is no budget 'absent'."),
        (("load", "absent.toml"), "absent.toml cannot be read"),
    ],
)
def test_misuse_is_one_sentence_and_changes_nothing(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    before = run("sql", "SELECT count() FROM budgets").stdout
    ran = run("budgets", *arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert sentence in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert run("sql", "SELECT count() FROM budgets").stdout == before


def test_money_in_a_currency_without_a_rate_is_refused(run: Run) -> None:
    for arguments in (("query", "cost", "-p", "currency=JPY"), ("query", "cost", "-p", "currency=JPY", "--json")):
        ran = run(*arguments)
        assert (ran.exit_code, ran.stdout) == (2, "")
        assert "no rate of exchange at the time of a call: tokentrail query currencies names it" in ran.stderr
        assert len(ran.stderr.strip().splitlines()) == 1
    (row,) = json.loads(run("query", "currencies", "-p", "currency=JPY", "--json").stdout)
    assert (row["currency"], row["calls"], row["calls_without_rate"]) == ("USD", 2, 2)

"""`tokentrail export --format focus` writes what the FinOps foundation's validator passes, and to the last digit what the question `cost` answers."""

from __future__ import annotations

import csv
import json
from calendar import monthrange
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.focus_validation import failures, linted, obtain, validated
from tests.support.ledger_rows import START_NS, usage
from tests.support.require import require
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import connect
from tokentrail.local.cache import Progress, Unavailable

Run = Callable[..., Result]
HOSTILE = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "<b>\"quoted\", 'x'</b>", "模型 \\ ; \u202e", "")
PRICES = """
[[price]]
provider = "openai"
model = "*"
input = "2.123456789012345678"
output = 8
cache_read = "0.1"
reasoning = 9
batch = { input = 1 }

[[price]]
provider = "llama_cpp"
model = "*"
currency = "EUR"
hour = "1.2"
call = "0.001"

[[rate]]
currency = "EUR"
from = 2020-01-01
usd = "1.0837"
"""
DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger with prices in two currencies, hostile names, a batch, a correction, estimates, and what has no price."""
    pytest.importorskip("chdb", reason="the embedded ClickHouse (tokentrail[embedded]) is not installed")
    from tokentrail.embedded.process import ServerProcess

    folder = tmp_path_factory.mktemp("spent")
    with ServerProcess.started(folder / "data") as server:
        client = connect(server.addresses.dsn)
        rows = [
            usage(
                seq=seq,
                ts=START_NS - (seq * DAY // 3 if name.isascii() else 40 * DAY),
                tenant=name,
                input_tokens=1_000_003 * seq,
                output_tokens=77,
                more=_more(seq, name),
            )
            for seq, name in enumerate(HOSTILE * 3, 1)
        ]
        rows += [
            usage(seq=101, ts=START_NS, more={"provider": "llama_cpp", "response_model": "smollm2", "duration_ns": 1_234_567_891}),
            usage(seq=102, ts=START_NS, more={"provider": "groq", "request_model": "llama", "response_model": "llama"}),
            usage(seq=103, ts=START_NS, input_tokens=300, source="estimated"),
            usage(seq=104, ts=START_NS, input_tokens=-40, output_tokens=-4, more={"calls": -1, "corrects_key": "k"}),
            usage(seq=105, ts=START_NS, input_tokens=None, output_tokens=None, source="unknown"),
        ]
        client.insert_json("usage_landing", rows)
        client.close()
        prices = folder / "prices.toml"
        prices.write_text(PRICES)
        assert runner(server.addresses.dsn)("prices", "load", str(prices)).exit_code == 0
        yield server.addresses.dsn


def _more(seq: int, name: str) -> dict[str, Any]:
    model = f"{name}model"
    more = {"cache_read_tokens": 1001 * seq, "reasoning_tokens": 7, "request_model": model, "response_model": model}
    return more | ({"endpoint": "batch"} if seq % 5 == 0 else {})


def runner(dsn: str) -> Run:
    return lambda *arguments: CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn}).invoke(cli, arguments)


@pytest.fixture
def run(spent: str) -> Run:
    return runner(spent)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def costs(run: Run, *options: str) -> dict[tuple[str, str], Decimal]:
    """The costs of the question, by provider and currency."""
    answer = run("query", "cost", "-p", "by=provider", "--json", *options)
    rows = json.loads(answer.stdout, parse_float=Decimal, parse_int=Decimal)
    return {(row["name"], row["currency"]): row["cost"] for row in rows if row["cost"] is not None}


def summed(rows: list[dict[str, str]], column: str = "BilledCost") -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = row["ServiceName"], row["BillingCurrency" if column == "BilledCost" else "PricingCurrency"]
        sums[key] = sums.get(key, Decimal(0)) + Decimal(row[column])
    return sums


@pytest.mark.parametrize("step", ["hour", "day", "month"])
@pytest.mark.parametrize("currency", ["", "EUR", "USD"])
def test_the_sums_are_those_of_the_question(run: Run, tmp_path: Path, step: str, currency: str) -> None:
    file = tmp_path / "costs.csv"
    ran = run("export", "--format", "focus", str(file), "--step", step, "--currency", currency)
    assert ran.exit_code == 0, ran.output
    rows = read(file)
    assert ran.stdout == f"{file}: {len(rows)} charges, FOCUS 1.4\n"
    assert ran.stderr == "1 call without a price is in no charge: tokentrail query prices\n"
    assert summed(rows) == costs(run, "-p", f"currency={currency}")
    assert summed(rows, "PricingCurrencyEffectiveCost") == costs(run)
    for row in rows:
        begin, end = (row[f"ChargePeriod{which}"] for which in ("Start", "End"))
        hours = (_moment(end) - _moment(begin)) / 3600
        days = monthrange(int(begin[:4]), int(begin[5:7]))[1] if step == "month" else 1
        assert hours == (1 if step == "hour" else days * 24)
        assert row["BillingPeriodStart"][:8] == begin[:8]
    assert {row["ChargeClass"] for row in rows} == {"", "Correction"}


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_a_range_is_exported_alone(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    assert run("export", "focus", str(file), "--from", "2026-11-15", "--to", "2026-11-17").exit_code == 0
    assert {row["ChargePeriodStart"][:10] for row in read(file)} == {"2026-11-15", "2026-11-16"}
    assert summed(read(file)) == costs(run, "-p", "from=2026-11-15", "-p", "to=2026-11-17")


@pytest.fixture(scope="module")
def validator() -> Path:
    python = obtain(Progress(print))
    if isinstance(python, Unavailable):
        require("focus", python.reason)
    return python


ALTERNATIVE = ["InvoiceId-C-005-C"]
"""A charge has an invoice's id, or none: of these two rules, which the validator lists with the one that joins them, one always fails."""


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("currency", ["", "EUR"])
def test_the_foundations_validator_passes_it(run: Run, tmp_path: Path, validator: Path, kind: str, currency: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"costs.{kind}"
    ran = run("export", "focus", str(file), "--focus-version", "1.2", "--currency", currency, "--from", "2026-11-01")  # it takes ASCII alone
    assert ran.exit_code == 0
    printed = validated(validator, file)
    assert printed.count("PASS") > 200, printed[-3000:]
    assert failures(printed) == ALTERNATIVE, printed[-6000:]


def test_the_validator_would_not_pass_another(run: Run, tmp_path: Path, validator: Path) -> None:
    file = tmp_path / "costs.csv"
    assert run("export", "focus", str(file), "--focus-version", "1.2").exit_code == 0
    file.write_text(file.read_text().replace(",Usage,", ",Used,"))
    assert "ChargeCategory-C-004-M" in failures(validated(validator, file)) or len(failures(validated(validator, file))) > 1


def test_it_has_the_data_model_of_the_newest_version(run: Run, tmp_path: Path, validator: Path) -> None:
    file = tmp_path / "costs.csv"
    assert run("export", "focus", str(file)).exit_code == 0
    assert "STRUCTURAL_VALID, SEMANTIC_VALID" in linted(validator, file)
    assert "ServiceProviderName" in read(file)[0]


def test_no_text_is_a_formula(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    assert run("export", "focus", str(file), "--account", "=1+1").exit_code == 0
    rows = read(file)
    assert {row["SubAccountId"].removeprefix("'") for row in rows} >= set(HOSTILE)
    numbers = {name for name in rows[0] if name.endswith(("Cost", "Quantity", "UnitPrice"))}
    for row in rows:
        for name, cell in row.items():
            if name in numbers:
                assert Decimal(cell).is_finite()
            else:
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), (name, cell)


def test_parquet_has_decimals_and_texts_as_they_are(run: Run, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file, plain = tmp_path / "costs.parquet", tmp_path / "costs.csv"
    assert run("export", "focus", str(file)).exit_code == run("export", "focus", str(plain)).exit_code == 0
    rows = parquet.read_table(file).to_pylist()
    assert {row["SubAccountId"] for row in rows} == {name or None for name in HOSTILE} | {"acme"}
    assert sum(row["BilledCost"] for row in rows) == sum(Decimal(row["BilledCost"]) for row in read(plain))
    assert str(parquet.read_schema(file).field("BilledCost").type) == "decimal128(38, 18)"


def test_standard_output_is_csv(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    assert run("export", "focus", str(file)).exit_code == 0
    assert run("export", "--format=focus", "-").stdout == file.read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("costs.txt",), "costs.txt ends in neither .csv nor .parquet."),
        (("there.csv",), "there.csv exists: nothing was written; --force replaces it."),
        (("costs.csv", "--currency", "euro"), "'euro' is no currency: write three letters"),
        (("costs.csv", "--currency", "JPY"), "no rate of exchange at the time of a call"),
        (("costs.csv", "--from", "2026-12", "--to", "2026-11"), "--from is not before --to"),
        (("costs.csv", "--from", "soon"), "'soon' is not a time"),
        (("no/such/folder/costs.csv",), "cannot be written: No such file or directory"),
    ],
)
def test_misuse_is_one_sentence_and_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("mine")
    ran = run("export", "--format", "focus", *arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert sentence in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    assert Path("there.csv").read_text() == "mine"

"""`tokentrail export --format focus` writes what the FinOps foundation's validator passes, and to the last digit what the question `cost` answers."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
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
from tokentrail import focus
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import connect
from tokentrail.local.cache import Progress, Unavailable

Run = Callable[..., Result]
HOSTILE = ("\uff1dcmd()", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "<b>\"quoted\", 'x'</b>", "模型 \\ ; \u202e", "")
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
            usage(
                seq=103, ts=START_NS, input_tokens=301, output_tokens=7, source="estimated", more={"cache_read_tokens": 101, "reasoning_tokens": 3}
            ),
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


def costs(run: Run, *options: str, column: str = "cost") -> dict[tuple[str, str], Decimal]:
    """The costs of the question, by provider and currency."""
    answer = run("query", "cost", "-p", "by=provider", "--json", *options)
    rows = json.loads(answer.stdout, parse_float=Decimal, parse_int=Decimal)
    return {(row["name"], row["currency"]): row[column] or Decimal(0) for row in rows if row["cost"] is not None}


def summed(rows: list[dict[str, str]], column: str = "BilledCost") -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        key = row["ServiceName"], row["PricingCurrency" if column.startswith("Pricing") else "BillingCurrency"]
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
    assert summed(rows, "x_EstimatedCost") == costs(run, "-p", f"currency={currency}", column="estimated_cost")
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
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")), (name, cell)


def test_what_follows_a_carriage_return_is_no_line_of_its_own() -> None:
    names = [each.name for each in focus.columns("1.4")]
    written = io.StringIO(newline="")
    assert focus.write_csv(written, "1.4", [["acme\r=1+1" if name == "SubAccountId" else None for name in names]]) == 1
    head, line = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert line[head.index("SubAccountId")] == "acme\r=1+1"


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


def test_at_a_terminal_no_name_steers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokentrail.cli.export.is_terminal", lambda: True)
    said = run("export", "focus", "-").stdout
    assert all(sign == "\n" or sign.isprintable() for sign in said)


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
        ((f"{'x' * 300}.csv",), "cannot be written: File name too long"),
        ((f"{'x' * 300}.csv", "--force"), "cannot be written: File name too long"),
        (("folder.csv", "--force"), "cannot be written: Is a directory"),
    ],
)
def test_misuse_is_one_sentence_and_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.csv").write_text("mine")
    Path("folder.csv").mkdir()
    ran = run("export", "--format", "focus", *arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert sentence in ran.stderr
    assert {path.name for path in tmp_path.rglob("*")} == {"there.csv", "folder.csv"}
    assert Path("there.csv").read_text() == "mine"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_full_disk_leaves_the_former_file_and_nothing_else(spent: str, tmp_path: Path, kind: str) -> None:
    """The limit of a file's size stands for the disk: the writer meets both as an error of `write`."""
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    file = tmp_path / f"costs.{kind}"
    file.write_text("mine")
    command = [
        "sh",
        "-c",
        'ulimit -f 8; exec "$@"',
        "sh",
        sys.executable,
        "-m",
        "tokentrail",
        "export",
        "focus",
        str(file),
        "--force",
        "--dsn",
        spent,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"{file} cannot be written: " in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(file.name, "mine")]


def test_a_link_is_followed_and_keeps_its_file_s_rights(run: Run, tmp_path: Path) -> None:
    file, link = tmp_path / "november.csv", tmp_path / "latest.csv"
    file.write_text("former")
    file.chmod(0o640)
    link.symlink_to(file)
    assert run("export", "focus", str(link), "--force").exit_code == 0
    assert (link.is_symlink(), read(file)[0]["ChargeCategory"], file.stat().st_mode & 0o777) == (True, "Usage", 0o640)

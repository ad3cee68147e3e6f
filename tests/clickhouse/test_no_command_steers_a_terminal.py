"""What commands beside questions print of strangers' names, in sentences, tables and JSON, is obeyed by no terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from click.testing import CliRunner, Result

from tests.support.ledger_rows import Land, usage
from tokentrail.cli.group import cli
from tokentrail.clickhouse.client import Client
from tokentrail.ledger import quarantine

HOSTILE = "\x1b[2J \x9b31m \u202eevil \u2066x \x7f \x08 \x1b]0;owned\x07 señor"


@pytest.fixture
def hostile(database: Client, land: Land) -> list[str]:
    """A ledger whose every text is hostile, and the ids of its records in quarantine."""
    stated = dict.fromkeys(("provider", "request_model", "response_model", "operation_id", "endpoint", "error_type", "server_address"), HOSTILE)
    rows = [usage(by=HOSTILE, seq=number, tenant=HOSTILE, input_tokens=count, more=stated) for number, count in ((1, 5), (3, "many"))]
    land(*[row | {"ServiceName": HOSTILE} for row in rows])
    return [record["id"] for record in quarantine.listed(database)]


def obeyed(text: str) -> list[str]:
    return [sign for sign in text if sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp")]


def run(dsn: str, *arguments: str) -> Result:
    said = CliRunner(env={"TOKENTRAIL_CLICKHOUSE_DSN": dsn, "COLUMNS": "200"}).invoke(cli, arguments)
    assert said.exit_code in (0, 1), said.output
    assert not obeyed(said.output), obeyed(said.output)
    return said


@pytest.mark.parametrize(
    "command",
    ["verify", "verify --all", "quarantine list", "quarantine fix --drop input_tokens", "check", "reconcile", "retention run", "rollup"],
)
def test_sentences_and_tables(dsn: str, hostile: list[str], command: str) -> None:
    assert hostile
    assert run(dsn, *command.split()).output


@pytest.mark.parametrize("command", ["verify --json", "quarantine show", "reconcile --json"])
def test_json_says_the_same(dsn: str, hostile: list[str], command: str) -> None:
    said = run(dsn, *command.split(), *(hostile if command.endswith("show") else ())).stdout
    found = json.loads(said)
    assert found
    if not command.startswith("reconcile"):
        assert HOSTILE in texts(found)


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.items() for text in texts(list(each))]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else [value] if isinstance(value, str) else []

"""docs/analysts.md answers its questions as the ledger does: the SQL as it stands there, and the command beside it, give the same numbers."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.support.analysts_ledger import fill
from tests.support.scripts import load_script
from tests.support.terminal import in_process
from tokentrail.clickhouse.client import Client
from tokentrail.ledger.rollup import refresh

SCRIPT = load_script("analysts_page")
PAGE = SCRIPT.PAGE.read_text("utf-8")


@pytest.fixture
def ledger(database: Client) -> Client:
    fill(database)
    refresh(database)
    return database


@pytest.mark.slow
def test_the_answers_are_the_ledgers_and_those_of_the_commands(ledger: Client, dsn: str) -> None:
    questions = SCRIPT.questions(PAGE)
    assert [each.title.partition(".")[0] for each in questions] == [str(number) for number in range(1, 21)]
    for question in questions:
        assert question.answer == SCRIPT.answered(ledger, question.sql), f"{question.title}: make docs"
        ours = ledger.query(question.sql)
        ran = in_process(*question.command, "--json", "--dsn", dsn)
        assert ran.code == 0, f"{question.title}: {ran.err}"
        theirs = json.loads(ran.out, parse_float=Decimal)
        shared = [name for name in ours.columns if name in theirs[0]]
        assert len(shared) > len(ours.columns) / 2, f"{question.title}: {ours.columns}, {list(theirs[0])}"
        expected = Counter(_texts(row, shared) for row in ours.dicts())
        found = Counter(_texts(row, shared) for row in theirs)
        assert expected <= found if "LIMIT" in question.sql else expected == found, f"{question.title}: {expected - found}, {found - expected}"


def _texts(row: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    """Values as texts; a number is the same with and without zeros at its end."""
    return tuple("" if row[name] is None else _text(row[name]) for name in names)


def _text(value: Any) -> str:
    return f"{Decimal(str(value)).normalize():f}" if isinstance(value, int | float | Decimal) else str(value)

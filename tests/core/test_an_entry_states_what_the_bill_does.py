"""The entry of a correction states the difference, in the columns by which the bill is compared; what no entry corrects is refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.support.bills import DAY, MODEL
from tokentrail.reconciling.correction import CannotCorrectError, described, entry_of, read_entry
from tokentrail.reconciling.finding import Figure, Finding, Place

HERE = Place("openai-usage", DAY, DAY + timedelta(days=1), "openai", MODEL)


def finding(figures: Mapping[str, int], held: Mapping[str, str] | None = None, place: Place = HERE) -> Finding:
    return Finding(place, [Figure(name, Decimal(value), Decimal(0)) for name, value in figures.items()], held=held or {})


def test_an_entry_has_the_difference_and_belongs_to_its_cell() -> None:
    held = {
        "tenant_id": "acme",
        "service_name": "search",
        "environment": "prod",
        "operation_id": "o",
        "metadata.key": "alpha",
        "token_type": "embedding",
    }
    entry = entry_of(finding({"input_tokens": -5, "cache_read_tokens": 2, "requests": 1}, held), 3, tenant="other", why="so")
    usage = entry.usage
    assert described(entry) == {"calls": 1, "input_tokens": -5, "cache_read_tokens": 2}
    assert (usage.tenant_id, entry.service, entry.environment, usage.operation_id, usage.token_type) == ("acme", "search", "prod", "o", "embedding")
    assert '"key":"alpha"' in usage.metadata.replace(" ", "")
    assert (usage.provider, usage.request_model, usage.operation, usage.corrects_key) == ("openai", MODEL, "internal", f"finding:{HERE.id}")
    assert (usage.key_kind, usage.key_time, usage.ts) == ("four_part", int(DAY.timestamp()) * 10**9, int(DAY.timestamp()) * 10**9)
    assert read_entry(entry.text) == entry


def test_a_key_follows_from_the_finding_and_the_number_alone() -> None:
    first, again = (entry_of(finding({"requests": 1}), 2, tenant="", why=why).usage.key for why in ("a", "b"))
    assert first == again
    assert entry_of(finding({"requests": 1}), 4, tenant="", why="a").usage.key != first


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (Finding(HERE, [Figure("cost USD", Decimal(1), Decimal(0))]), "one of money alone"),
        (Finding(Place("verify", subject="writer x")), "no difference from a bill"),
        (finding({"input_tokens": 2 * 10**12}), "the ledger takes no such count"),
        (finding({"requests": 1}, {"error_type": "429"}), "usages with a certain error_type alone"),
        (finding({"requests": 1}, place=replace(HERE, starts=datetime(2019, 1, 1, tzinfo=timezone.utc))), "before 2020"),
    ],
)
def test_what_no_entry_corrects_is_refused(wrong: Finding, sentence: str) -> None:
    with pytest.raises(CannotCorrectError, match=sentence):
        entry_of(wrong, 2, tenant="", why="x")

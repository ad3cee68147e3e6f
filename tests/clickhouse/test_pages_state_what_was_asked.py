"""What a page holds of a ledger, before it is drawn: days and hours of the zone that was asked for, all names, and calls that no price fits."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

from tests.support.ledger_rows import Land, usage
from tokentrail.clickhouse.client import Client
from tokentrail.pages import tables
from tokentrail.pages.facts import Facts, Now, Parts, Wanted, collect
from tokentrail.pages.selection import Selection
from tokentrail.prices.files import parse
from tokentrail.prices.store import load

SECOND = 10**9
MIDNIGHT = 1_793_750_400 * SECOND  # Wednesday 2026-11-04 00:00 UTC
RANGE = ("2026-11-01 00:00:00.000000", "2026-11-15 00:00:00.000000")
LATER = datetime(2026, 11, 16, tzinfo=timezone.utc)


def stated(client: Client, zone: str = "UTC") -> tuple[Facts, Now, Parts]:
    facts = collect(client, Selection(*RANGE, zone), LATER, Wanted.DASHBOARD)
    assert facts.now is not None
    assert facts.parts is not None
    return facts, facts.now, facts.parts


def test_days_and_hours_are_those_of_the_zone(database: Client, land: Land) -> None:
    load(database, parse('[[price]]\nprovider = "*"\nmodel = "*"\ninput = 1\noutput = 1\n'))
    land(usage(ts=MIDNIGHT + 23 * 3600 * SECOND))
    seen = {}
    for zone in ("UTC", "Europe/Madrid", "America/New_York"):
        _, now, parts = stated(database, zone)
        (trend,), (cost,), (hour,) = now.trend, parts.cost_trend, [row for row in parts.hours if row["tokens"]]
        assert trend["time"] == cost["time"]
        seen[zone] = (trend["time"][:10], hour["weekday"], hour["hour"])
    assert seen == {"UTC": ("2026-11-04", 3, 23), "Europe/Madrid": ("2026-11-05", 4, 0), "America/New_York": ("2026-11-04", 3, 18)}


def test_the_row_of_the_rest_has_all_names_that_are_not_shown(database: Client, land: Land) -> None:
    load(database, parse('[[price]]\nprovider = "*"\nmodel = "*"\ninput = 1\noutput = 1\n'))
    land(*(usage(seq=seq, ts=MIDNIGHT + seq, tenant=f"t{seq:02}", input_tokens=100 + seq, output_tokens=0) for seq in range(1, 31)))
    facts, _, parts = stated(database)
    rows = tables.breakdown(facts, parts, "tenant_id").rows
    assert [row[0] for row in rows] == [f"t{seq:02}" for seq in range(30, 30 - tables.MOST_ROWS, -1)] + [f"{30 - tables.MOST_ROWS} further tenants"]
    _, share, tokens, cost, calls, failed = rows[-1]
    hidden = range(1, 31 - tables.MOST_ROWS)
    assert (tokens, cost) == (sum(100 + seq for seq in hidden), Decimal(sum(100 + seq for seq in hidden)) / 1_000_000)
    assert (calls, failed, share) == (len(hidden), 0, tokens / facts.totals.tokens)
    assert sum(row[2] for row in rows) == facts.totals.tokens


def test_calls_without_a_price_are_stated(database: Client, land: Land) -> None:
    load(database, parse('[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini*"\ninput = 1\noutput = 1\n'))
    unpriced = {"request_model": "another", "response_model": "another"}
    land(usage(seq=1, ts=MIDNIGHT), usage(seq=2, ts=MIDNIGHT + 1, more=unpriced), usage(seq=3, ts=MIDNIGHT + 2, more=unpriced))
    facts, _, parts = stated(database)
    assert (facts.totals.calls, facts.totals.unpriced_calls, list(facts.totals.costs)) == (3, 2, ["USD"])
    assert {name: totals.unpriced_calls for name, totals in parts.by["model"].items() if totals.unpriced_calls} == {"another": 2}

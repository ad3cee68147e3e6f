"""Anthropic's usage and costs, of both of its APIs: disjoint counts become the ledger's totals, cents become dollars."""

from __future__ import annotations

import copy
import json
from decimal import Decimal

import pytest

from tests.support.report_server import KEY, ReportServer
from tokentrail.bills.errors import BillError
from tokentrail.bills.registry import read_file, read_live

USAGE = "/v1/organizations/usage_report/messages"
COSTS = "/v1/organizations/cost_report"
ENVIRONMENT = {"ANTHROPIC_ADMIN_KEY": KEY}


def saved(tmp_path, page):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(page))
    return path


def test_input_tokens_include_cache_reads_and_writes(recorded, tmp_path, utc):
    first, searches, second = read_file("anthropic-usage", saved(tmp_path, recorded("anthropic-usage.json")))
    assert first.counts == {
        "input_tokens": 3200,
        "output_tokens": 500,
        "cache_read_tokens": 200,
        "cache_write_tokens": 1500,
        "cache_write_1h_tokens": 1000,
    }
    assert (first.starts, first.ends) == (utc(2025, 11, 27), utc(2025, 11, 28))
    assert (first.provider, first.model, first.project, first.api_key) == ("anthropic", "claude-sonnet-4-20250514", "wrkspc_one", "apikey_one")
    assert (first.service_tier, first.batch, first.requests, first.details) == ("standard", False, None, {"context_window": "0-200k"})
    assert (searches.item, searches.quantity, searches.unit, searches.counts) == ("web_search", 10, "calls", {})
    assert (second.batch, second.project, second.api_key, second.counts["input_tokens"]) == (True, "", "", 7)


def test_the_newer_api_is_read_too(recorded, tmp_path):
    (line,) = read_file("anthropic-usage", saved(tmp_path, recorded("anthropic-analytics-usage.json")))
    assert line.counts["input_tokens"] == 17
    assert (line.counts["output_tokens"], line.requests, line.batch, line.api_key) == (5, 3, True, "apikey_one")
    span = {"starting_at": "2026-11-27T00:00:00Z", "ending_at": "2026-11-28T00:00:00Z"}
    cost = {"amount": "250.5", "list_amount": "300", "currency": "USD", "requests": None}
    page = {"data": [{**span, "group": {"model": "claude-opus-5-5", "token_type": "output_tokens", "cost_type": "tokens"}, "cost": cost}]}
    (line,) = read_file("anthropic-cost", saved(tmp_path, page))
    assert (line.cost, line.model, line.item) == (Decimal("2.505"), "claude-opus-5-5", "output_tokens")


def test_cents_become_dollars_exactly(recorded, tmp_path):
    paid, credit = read_file("anthropic-cost", saved(tmp_path, recorded("anthropic-cost.json")))
    assert (paid.cost, paid.currency) == (Decimal("1.2378912"), "USD")
    assert (paid.item, paid.model, paid.details["token_type"]) == (
        "Claude Sonnet 4 Usage - Input Tokens",
        "claude-sonnet-4-20250514",
        "uncached_input_tokens",
    )
    assert (credit.cost, credit.project) == (Decimal("-0.005"), "")


@pytest.mark.parametrize(
    ("reader", "name", "change", "reason"),
    [
        ("anthropic-cost", "anthropic-usage.json", {}, "usage is read by anthropic-usage"),
        ("anthropic-usage", "anthropic-cost.json", {}, "costs are read by anthropic-cost"),
        ("anthropic-usage", "anthropic-usage.json", {"cache_creation": 5}, "cache_creation is no object"),
        ("anthropic-usage", "anthropic-usage.json", {"output_tokens": -5}, "output_tokens is negative"),
        ("anthropic-cost", "anthropic-cost.json", {"amount": "a lot"}, "amount is no number"),
        ("anthropic-cost", "anthropic-cost.json", {"amount": "1e400"}, "beyond all reports"),
        ("anthropic-cost", "anthropic-cost.json", {"currency": "dollars"}, "three letters"),
    ],
)
def test_what_is_no_row_is_one_sentence(recorded, tmp_path, reader, name, change, reason):
    page = recorded(name)
    page["data"][0]["results"][0] |= change
    with pytest.raises(BillError, match=f"report.json, line 1: .*{reason}"):
        list(read_file(reader, saved(tmp_path, page)))


def test_times_that_are_none_are_told(recorded, tmp_path):
    for change, reason in (({"starting_at": None}, "is not stated"), ({"ending_at": "2025-11-27T00:00:00Z"}, "ends before it starts")):
        page = recorded("anthropic-usage.json")
        page["data"][0] |= change
        with pytest.raises(BillError, match=reason):
            list(read_file("anthropic-usage", saved(tmp_path, page)))


def test_a_row_saved_twice_counts_once_and_two_amounts_are_told(recorded, tmp_path):
    page = recorded("anthropic-cost.json")
    page["data"].append(copy.deepcopy(page["data"][0]))
    assert len(list(read_file("anthropic-cost", saved(tmp_path, page)))) == 2
    page["data"][1]["results"][0]["amount"] = "124"
    with pytest.raises(BillError, match="there twice with different numbers"):
        list(read_file("anthropic-cost", saved(tmp_path, page)))


def test_new_counts_are_told(recorded, tmp_path):
    page = recorded("anthropic-usage.json")
    page["data"][0]["results"][0]["cache_creation"]["ephemeral_1w_input_tokens"] = 5
    page["data"][0]["results"][0]["dream_tokens"] = 5
    report = read_file("anthropic-usage", saved(tmp_path, page))
    list(report)
    assert set(report.notes) == {f"the field {name}, which is not known, was not read" for name in ("ephemeral_1w_input_tokens", "dream_tokens")}


def test_a_live_read_asks_as_the_reference_says(recorded, quick, utc):
    pages = {USAGE: [{"data": recorded("anthropic-usage.json")["data"][:1]}, {"data": recorded("anthropic-usage.json")["data"][1:]}]}
    pages[COSTS] = [recorded("anthropic-cost.json")]
    with ReportServer(pages, header="x-api-key", value=KEY) as server:
        more = {"url": server.url, "environment": ENVIRONMENT, "patience": quick, "now": utc(2025, 11, 29, 6)}
        report = read_live("anthropic-usage", utc(2025, 11, 27), utc(2025, 11, 30), **more)
        assert len(list(report)) == 3
        assert report.complete_until == utc(2025, 11, 28, 6)
        assert len(list(read_live("anthropic-cost", utc(2025, 11, 27), utc(2025, 11, 28), **more))) == 2
    first, second, third = server.asked
    assert first.query["group_by[]"] == ["model", "workspace_id", "api_key_id", "service_tier", "context_window"]
    assert (first.query["starting_at"], first.query["ending_at"]) == (["2025-11-27T00:00:00Z"], ["2025-11-30T00:00:00Z"])
    assert (first.query["bucket_width"], first.query["limit"], second.query["page"]) == (["1d"], ["31"], ["page-2"])
    assert third.query["group_by[]"] == ["workspace_id", "description"]
    assert first.headers["anthropic-version"] == "2023-06-01"


def test_the_newer_api_is_asked_for_31_days_at_a_time(recorded, quick, utc):
    path = "/v1/organizations/analytics/usage"
    with ReportServer({path: [recorded("anthropic-analytics-usage.json")]}, header="x-api-key", value=KEY) as server:
        more = {"url": server.url, "environment": ENVIRONMENT, "patience": quick}
        (line,) = read_live("anthropic-analytics-usage", utc(2026, 11, 1, 5), utc(2026, 12, 5), **more)
        assert (line.source, line.requests) == ("anthropic-analytics-usage", 3)
        list(read_live("anthropic-analytics-cost", utc(2026, 11, 1), utc(2026, 11, 2), **more))
    first, second, costs = server.asked
    assert (first.query["starting_at"], first.query["ending_at"]) == (["2026-11-01T05:00:00Z"], ["2026-12-02T00:00:00Z"])
    assert (second.query["starting_at"], second.query["ending_at"]) == (["2026-12-02T00:00:00Z"], ["2026-12-05T00:00:00Z"])
    assert (first.query["time_bucket_width"], first.query["limit"], len(first.query["group_by[]"])) == (["1d"], ["1000"], 5)
    assert costs.query["group_by[]"][-2:] == ["cost_type", "token_type"]
    assert first.headers["anthropic-beta"] == "analytics-usage-cost-2026-08-24"

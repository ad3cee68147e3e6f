"""The questions that dashboards ask, against plain Python over the same records."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support import grafana_ledger
from tests.support.ledger_rows import Row, writer
from tokentrail import semconv
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.literals import Parameter
from tokentrail.ledger.query import answer, read

Ask = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True)
class Call:
    """A call as its record states it."""

    said: dict[str, Any]
    row: Row

    def __getattr__(self, name: str) -> Any:
        return self.said.get(name)

    @property
    def model(self) -> str:
        return self.said.get("response_model") or ""

    @property
    def service(self) -> str:
        return str(self.row["ServiceName"])

    @property
    def environment(self) -> str:
        return str(self.row["ResourceAttributes"][semconv.ENVIRONMENT])

    @property
    def tokens(self) -> int:
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def moment(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=self.ts // 1000)


ROWS = [*grafana_ledger.calls()]
CALLS = [Call(json.loads(row["Body"]), row) for row in ROWS]
KEPT = list({call.key: call for call in CALLS}.values())


@pytest.fixture
def ask(database: Client) -> Ask:
    grafana_ledger.fill(database)

    def run(name: str, **parameters: Parameter) -> list[dict[str, Any]]:
        return answer(database, name, {key.rstrip("_"): value for key, value in parameters.items()}).dicts()

    return run


def begin(call: Call, step: str, zone: str) -> str:
    local = call.moment.astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0, tzinfo=None)
    if step != "minute":
        local = local.replace(minute=0)
    return str(local.replace(hour=0) if step == "day" else local)


def grouped(found: list[Call], key: Callable[[Call], Any]) -> dict[Any, list[Call]]:
    groups: dict[Any, list[Call]] = defaultdict(list)
    for call in found:
        groups[key(call)].append(call)
    return groups


def steps(step: str, zone: str) -> dict[tuple[str, str], list[Call]]:
    return grouped(KEPT, lambda call: (begin(call, step, zone), call.provider))


FIRST = {"providers": sorted(grafana_ledger.MODELS), "services": list(grafana_ledger.SERVICES), "environments": list(grafana_ledger.ENVIRONMENTS)}
"""All that the calls have, and nothing of the disorder, whose environment is another one."""
ZONES = pytest.mark.parametrize(("step", "zone"), [("minute", "UTC"), ("hour", "Asia/Kolkata"), ("day", "America/St_Johns")])


def test_the_ledger_has_hostile_names_and_no_call_is_lost() -> None:
    assert len(KEPT) == len(CALLS) == 600
    assert {call.tenant_id for call in KEPT} == set(grafana_ledger.TENANTS)


def test_names_are_all_names(ask: Ask) -> None:
    of: dict[str, Callable[[Call], str]] = {
        "environment": lambda call: call.environment,
        "service_name": lambda call: call.service,
        "provider": lambda call: call.provider,
        "model": lambda call: call.model,
        "tenant_id": lambda call: call.tenant_id,
        "operation_name": lambda call: call.operation,
    }
    for by, name in of.items():
        expected = {key: len(group) for key, group in grouped(KEPT, name).items()}
        found = ask("names", by=by, **FIRST)
        assert {row["name"]: row["calls"] for row in found} == expected
        assert [row["name"].encode() for row in found] == sorted(key.encode() for key in expected)


@ZONES
def test_outcomes_over_time(ask: Ask, step: str, zone: str) -> None:
    found = {(row["time"], row["name"]): row for row in ask("outcomes_over_time", step=step, timezone=zone, **FIRST)}
    expected = steps(step, zone)
    assert found.keys() == expected.keys()
    for key, group in expected.items():
        failed = [call for call in group if call.ended == "error"]
        row = found[key]
        assert (row["calls"], row["error_calls"], row["error_share"]) == (len(group), len(failed), pytest.approx(len(failed) / len(group), abs=6e-5))
        assert row["rate_limited_calls"] == sum(call.error_type == "429" for call in failed)
        assert row["abandoned_calls"] == sum(call.ended == "partial" for call in group)
        assert row["retried_calls"] == sum(call.attempts > 1 for call in group)
    assert sum(row["rate_limited_calls"] for row in found.values()) > 0


@ZONES
def test_certainty_over_time(ask: Ask, step: str, zone: str) -> None:
    found = {(row["time"], row["name"]): row for row in ask("certainty_over_time", step=step, timezone=zone, **FIRST)}
    for key, group in steps(step, zone).items():
        row = found.pop(key)
        estimated = sum(call.tokens for call in group if call.input_source == "estimated")
        whole = sum(call.tokens for call in group)
        assert (row["calls"], row["tokens"], row["estimated_tokens"], row["bridged_calls"]) == (len(group), whole, estimated, 0)
        assert row["estimated_share"] == (pytest.approx(estimated / whole, abs=6e-5) if whole else None)
        assert (row["estimated_calls"], row["unknown_calls"]) == tuple(
            sum(call.input_source == source for call in group) for source in ("estimated", "unknown")
        )
    assert not found


@ZONES
def test_caches_and_latency_over_time(ask: Ask, step: str, zone: str) -> None:
    cached = {(row["time"], row["name"]): row for row in ask("prompt_cache_over_time", step=step, timezone=zone, **FIRST)}
    took = {(row["time"], row["name"]): row for row in ask("latency_over_time", step=step, timezone=zone, **FIRST)}
    for key, group in steps(step, zone).items():
        stating = [call for call in group if call.cache_read_tokens is not None or call.cache_write_tokens is not None]
        if stating:
            row = cached.pop(key)
            given = sum(call.input_tokens for call in stating)
            reads = [call.cache_read_tokens for call in stating if call.cache_read_tokens is not None]
            assert (row["input_tokens"], row["cache_read_tokens"]) == (given, sum(reads) if reads else None)
            assert row["cache_read_share"] == (pytest.approx(sum(reads) / given, abs=6e-5) if reads and given else None)
        complete = [call for call in group if call.ended == "complete"]
        if complete:
            row = took.pop(key)
            lengths = [call.duration_ns / 1e6 for call in complete]
            assert row["calls"] == len(complete)
            assert min(lengths) - 0.1 <= row["p50_ms"] <= row["p95_ms"] <= max(lengths) + 0.1
            streams = [call.time_to_first_chunk_ns / 1e6 for call in complete if call.time_to_first_chunk_ns]
            assert (row["first_chunk_p50_ms"] is None) == (not streams)
            if streams:
                assert min(streams) - 0.1 <= row["first_chunk_p50_ms"] <= row["first_chunk_p95_ms"] <= max(streams) + 0.1
    assert not cached
    assert not took


def test_arrival_is_the_time_from_a_call_to_clickhouse(ask: Ask) -> None:
    now = datetime.now(timezone.utc)
    for row in ask("arrival_over_time", by="service_name", step="day", **FIRST):
        began = datetime.fromisoformat(row["time"]).replace(tzinfo=timezone.utc)
        longest = (now - began).total_seconds()
        assert longest - 86_400 - 120 <= row["arrival_p50_seconds"] <= row["arrival_p95_seconds"] <= longest + 120


def test_costs_over_time_are_those_of_the_calls(ask: Ask) -> None:
    whole = {row["currency"]: Decimal(str(row["cost"])) for row in ask("cost", by="total", **FIRST) if row["currency"]}
    for by in ("total", "provider", "tenant_id"):
        summed: dict[str, Decimal] = defaultdict(Decimal)
        found = ask("cost_over_time", by=by, step="hour", **FIRST)
        for row in found:
            summed[row["currency"]] += Decimal(str(row["cost"] or 0))
        assert sum(row["calls"] for row in found) == len(KEPT)
        assert {currency: summed[currency] for currency in whole} == {currency: pytest.approx(cost) for currency, cost in whole.items()}
    assert set(whole) == {"USD", "EUR"}
    costs = [Decimal(str(row["cost"])) for row in ask("dearest_calls", most=1000, **FIRST)]
    assert costs == sorted(costs, reverse=True)
    assert sum(costs) == pytest.approx(sum(whole.values()))
    assert len(ask("dearest_calls", most=3)) == 3


def test_spans_of_a_trace_are_what_grafana_draws(ask: Ask) -> None:
    trace = f"{7:032x}"
    found = ask("spans_of_a_trace", trace=trace)
    assert [(row["traceID"], row["spanID"], row["parentSpanID"]) for row in found] == [
        (trace, f"{70:016x}", ""),
        (trace, f"{71:016x}", f"{70:016x}"),
    ]
    assert {(row["duration"], row["statusCode"], row["kind"], row["serviceName"]) for row in found} == {(5, 0, "client", "shop-js")}
    assert found[0]["tags"] == [{"key": "<b>", "value": '"\\'}, {"key": "gen_ai.system", "value": "o'penai"}]
    assert ask("spans_of_a_trace", trace="' OR 1=1") == []


def test_what_is_missing_copied_contradicted_and_not_understood(ask: Ask) -> None:
    found = {(row["service_name"], row["environment"]): row for row in ask("processes")}
    three = found["shop", "test"]
    columns = ("writers", "open_writers", "records", "absent_numbers", "writers_with_gaps", "refusing_writers", "damaged_writers")
    assert [three[name] for name in columns] == [1, 0, 3, 3, 1, 1, 0]
    assert sum(row["records"] for row in found.values()) == len(KEPT) + 3
    copies = ask("copies")
    assert sum(row["copies"] for row in copies) == 50
    assert sum(row["records"] for row in copies) == len(ROWS) + 50 + 3
    (refused,) = ask("not_understood")
    assert (refused["service_name"], refused["records"]) == ("shop", 1)
    assert refused["reason"].startswith("bad count")
    said = ask("contradictions")
    assert {(row["key"], row["input_tokens"], row["writer_id"]) for row in said} == {("job-'1", 10, writer("three")), ("job-'1", 11, writer("three"))}
    assert sorted(row["counts"] for row in said) == [False, True]
    later: dict[str, Parameter] = {"from": "2100-01-01 00:00:00"}
    for name in ("processes", "copies", "not_understood"):
        assert ask(name, **later) == []
        assert ask(name, services=["nobody"]) == []
        assert ask(name, services=["shop"])


def test_journals_are_the_processes_own_metric(ask: Ask) -> None:
    assert f"'{semconv.METRIC_JOURNAL_BYTES}'" in read("journals").sql
    assert f"'{semconv.WRITER_ID}'" in read("copies").sql
    assert f"'{semconv.SEQ}'" in read("copies").sql
    assert f"'{semconv.EVENT}'" in read("copies").sql
    found = ask("journals", services=["shop"])
    assert {row["name"] for row in found} == {"shop"}
    assert len(found) == 10
    assert max(row["size_bytes"] for row in found) == 4096 * 29

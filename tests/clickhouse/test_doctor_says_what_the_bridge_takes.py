"""`tokentrail doctor` says whether the bridge in ClickHouse is on, since when, and what the bridge has taken in the last day."""

from __future__ import annotations

import time

from tests.support.foreign_spans import TRACE, span, tokens
from tests.support.ledger_rows import usage
from tokentrail.clickhouse.client import Client
from tokentrail.clickhouse.migrate import migrate
from tokentrail.clickhouse.sqlfiles import Target
from tokentrail.doctor.clickhouse import check_clickhouse


def said(dsn: str) -> tuple[str, str]:
    [found] = [finding for finding in check_clickhouse(dsn) if finding.what == "bridge in ClickHouse"]
    return found.state, found.sentence


def test_off_on_and_what_was_taken(database: Client, dsn: str) -> None:
    target = Target(database.database)
    assert said(dsn) == ("ok", "off: what only spans of other instrumentations tell of is not counted (tokentrail migrate --bridge on)")
    migrate(database, target, bridge=True)
    state, sentence = said(dsn)
    assert state == "note"
    assert sentence.endswith(" UTC, and no row was bridged in the last day: no span or event that has arrived states tokens")

    database.insert_json("otel_traces", [span(1, tokens()), span(2, tokens(), trace="cd" * 16)])
    assert said(dsn)[0] == "ok"
    assert said(dsn)[1].endswith(" UTC: 2 rows bridged in the last day")
    database.insert_json("usage_landing", [usage(seq=1) | {"TraceId": TRACE, "SpanId": f"{1:016x}"}])
    assert said(dsn)[1].endswith(": 2 rows bridged in the last day, of which other records tell of 1 too")

    migrate(database, target, bridge=False)
    assert said(dsn)[1].startswith("off: ")


def test_since_when(database: Client, dsn: str) -> None:
    target = Target(database.database)
    migrate(database, target, bridge=True)
    migrate(database, target, bridge=False)
    database.command("ALTER TABLE migrations UPDATE applied_at = '2026-01-02 03:04:05' WHERE 1 SETTINGS mutations_sync = 1")
    time.sleep(0.002)  # applied_at counts milliseconds
    migrate(database, target, bridge=True)
    database.command("ALTER TABLE migrations UPDATE applied_at = '2026-02-03 04:05:06' WHERE applied_at > '2026-01-03' SETTINGS mutations_sync = 1")
    assert said(dsn)[1].startswith("on since 2026-02-03 04:05 UTC")

"""`flush` sends what lies in memory, spans and metrics of `setup_opentelemetry()`, within its time: a server that a signal ends runs no exit handlers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.otlp_receiver import Otlp
from tests.support.scripted import ScriptedServer

PROGRAM = """
import os, sys, tokentrail
tokentrail.setup_opentelemetry(service_name="short")
with tokentrail.track_tokens("chat", tenant_id="acme"):
    tokentrail.track_token_usage(token_type="llm", operation="chat", provider="openai", model="m", input_tokens=1)
if sys.argv[1] == "flush":
    print(tokentrail.flush(10))
    sys.stdout.flush()
os._exit(0)  # as after a signal: no exit handler runs
"""
SIGNALS = {"/v1/traces", "/v1/metrics"}


def run(folder: Path, mode: str, address: str, **more: str) -> str:
    environment = {
        "PATH": "",
        "HOME": str(folder),
        "TOKENTRAIL_JOURNAL_DIR": str(folder / "journal"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_METRIC_EXPORT_INTERVAL": "600000",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        **more,
    }
    ran = subprocess.run([sys.executable, "-c", PROGRAM, mode], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["flush", "no flush"])
def test_all_signals_are_sent(tmp_path: Path, mode: str) -> None:
    with ScriptedServer({}) as server, Otlp() as ledger:
        said = run(tmp_path, mode, server.url, TOKENTRAIL_ENDPOINT=ledger.url)
    assert (set(server.paths) >= SIGNALS) is (mode == "flush"), server.paths
    assert said == ("True" if mode == "flush" else "")


@pytest.mark.slow
def test_records_that_wait_leave_time_for_spans(tmp_path: Path) -> None:
    with ScriptedServer({}) as server:
        assert run(tmp_path, "flush", server.url, TOKENTRAIL_ENDPOINT="http://127.0.0.1:9/v1/logs") == "False"
    assert set(server.paths) >= SIGNALS


@pytest.mark.slow
def test_a_collector_that_is_away_costs_no_more_than_the_time(tmp_path: Path) -> None:
    assert run(tmp_path, "flush", "http://127.0.0.1:9", TOKENTRAIL_TIMEOUT="1") == "False"

"""Settings, and an OpenTelemetry SDK in memory, that each test has for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from tests.support.telemetry_contract import Point, check_point, check_span, points_of
from tokentrail import finisher, ledger, recorder, settings, telemetry
from tokentrail.journal.ends import Former

Configure = Callable[..., settings.Settings]


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Configure]:
    """`tokentrail.configure` whose changes end with the test; records go to the test's own journal, and nowhere else."""
    before = settings.current()
    settings.configure(journal_dir=tmp_path / "journal", ship=False, estimate=False)
    yield settings.configure
    finisher.drain(5.0)
    settings._current = before
    for listener in settings._listeners:
        listener(before)


@pytest.fixture
def journal(configure: Configure, tmp_path: Path) -> Path:
    """The folder that the records go to."""
    return tmp_path / "journal"


class Sdk:
    """What an SDK exported."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracing = TracerProvider(sampler=sampler)
        self.tracing.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.metering = MeterProvider([self.reader])

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in that order."""
        finisher.drain(5.0)
        return list(self.exporter.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """The one span with this name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    @property
    def points(self) -> list[Point]:
        """The metrics as an exporter would send them now."""
        return points_of(self.reader.get_metrics_data())

    def values(self, metric: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """A metric's values by their attributes."""
        return {tuple(sorted(point.attributes.items())): point.value for point in self.points if point.name == metric}


@pytest.fixture
def make_sdk(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sdk]]:
    """Set up an SDK for this test, as a program does at its start; at the end all that it exported is held against the contract."""
    made: list[Sdk] = []

    def make(sampler: Sampler | None = None) -> Sdk:
        sdk = Sdk(sampler)
        made.append(sdk)
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", sdk.tracing)
        monkeypatch.setattr(metrics_api, "_METER_PROVIDER", sdk.metering)
        monkeypatch.setattr(telemetry, "_observed", False)
        monkeypatch.setattr(telemetry, "_totals", {})
        monkeypatch.setattr(ledger, "_former", Former())
        monkeypatch.setattr(recorder, "_telemetry", None)
        return sdk

    yield make
    for sdk in made:
        for span in sdk.spans:
            check_span(span)
        for point in sdk.points:
            check_point(point)
        sdk.tracing.shutdown()
        sdk.metering.shutdown()


@pytest.fixture
def sdk(make_sdk: Callable[..., Sdk]) -> Sdk:
    """An SDK that samples everything."""
    return make_sdk()


@pytest.fixture
def internal_errors(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What was swallowed during the test, by place."""
    counted: dict[str, int] = {}
    monkeypatch.setattr(ledger, "internal_errors", counted)
    monkeypatch.setattr(ledger, "_said", {})
    return counted


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a program in a fresh interpreter, with `tests` importable; its output. AssertionError with all it said if it fails."""
    root = Path(__file__).parent.parent.parent

    def run(program: str, *arguments: str, deadline_s: float = 60.0, **environ: str) -> str:
        known = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=root,
            env=known | {"PYTHONPATH": str(root)} | environ,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run

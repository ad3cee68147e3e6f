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

import tokentrail
from tests.support.telemetry_contract import Point, check_point, check_span, points_of
from tokentrail.process.current import current
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings
from tokentrail.testing import Usages, collect_usages

Configure = Callable[..., Settings]


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A runtime of the test's own, in the place of the process's: records go to the test's own journal, and nowhere else."""
    with Runtime(Settings(journal_dir=str(tmp_path / "journal"), ship=False, estimate=False)).in_place() as own:
        yield own


@pytest.fixture
def configure(runtime: Runtime) -> Configure:
    """`tokentrail.configure`, whose changes end with the test."""
    return tokentrail.configure


@pytest.fixture
def tokentrail_usages(runtime: Runtime) -> Iterator[Usages]:
    """The plugin's fixture."""
    with collect_usages() as usages:
        yield usages


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
        current.runtime.deferred.drain(5.0)
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
def internal_errors(runtime: Runtime) -> dict[str, int]:
    """The errors that were kept from the application during the test, by place."""
    return runtime.diagnostics.internal_errors


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

"""A program whose OpenTelemetry SDK has the bridge's processors, and the usages that get into its journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Tracer

import tokentrail.bridge
from tokentrail.recording.delivery import Memory
from tokentrail.recording.runtime import Runtime
from tokentrail.settings import Settings
from tokentrail.usage import Usage


@dataclass
class Program:
    """What a test has of the program: tracers by scope, loggers, the runtime, the recorded usages."""

    runtime: Runtime
    spans: TracerProvider
    events: LoggerProvider
    usages: list[Usage]

    def tracer(self, scope: str = "opentelemetry.instrumentation.openai") -> Tracer:
        return self.spans.get_tracer(scope)

    def totals(self) -> tuple[int, int, int]:
        """Calls, input and output tokens."""
        return len(self.usages), sum(usage.input_tokens or 0 for usage in self.usages), sum(usage.output_tokens or 0 for usage in self.usages)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Program]:
    usages: list[Usage] = []
    settings = Settings(journal_dir=str(tmp_path / "journal"), ship=False, estimate=False, metrics="none")
    taken: Any = Memory(usages.append, lambda *_: None)
    sampled = getattr(request, "param", 1.0)
    with Runtime(settings, delivery=taken).in_place() as runtime:
        made = Program(runtime, TracerProvider(sampler=ParentBased(TraceIdRatioBased(sampled))), LoggerProvider(), usages)
        monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: made.spans)
        monkeypatch.setattr("opentelemetry.trace.get_tracer", lambda scope, *_, **__: made.spans.get_tracer(scope))
        assert tokentrail.bridge.install(made.spans, made.events)
        yield made

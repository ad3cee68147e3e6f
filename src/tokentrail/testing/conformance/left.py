"""All that a runtime leaves behind of calls: the journal's files, spans, metrics, and what is logged, down to DEBUG."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry import metrics, trace

from tokentrail import semconv

__all__ = ["Left", "leaving"]

SETTINGS: Final[Mapping[str, Any]] = {"ship": False, "spans": True, "metrics": "both", "all_histograms": True}
"""The settings of a runtime that leaves all that there is."""


@dataclass(slots=True)
class Left:
    """What was left, by place: `read()` adds what lies in the folder, and in the SDK's memory."""

    folder: Path
    places: dict[str, bytes] = field(default_factory=dict)
    spans: Any = None
    metrics: Any = None

    def read(self) -> None:
        """Reads what spans and metrics there are; to be called while the runtime is in place."""
        if self.spans is not None:
            spans = self.spans.get_finished_spans()
            found = [span.to_json() for span in spans if span.instrumentation_scope.name == semconv.SCOPE]  # some SDKs have spans of their own
            self.spans.clear()
            self.places |= {f"span {len(self.places) + number}": text.encode() for number, text in enumerate(found)}
        if self.metrics is not None:
            collected = self.metrics.get_metrics_data()
            self.places[f"metrics {len(self.places)}"] = collected.to_json().encode() if collected is not None else b""

    def read_files(self) -> None:
        """Reads the files, and their names."""
        for path in self.folder.rglob("*"):
            name = str(path.relative_to(self.folder))
            self.places[f"file {name}"] = name.encode() + b"\n" + (path.read_bytes() if path.is_file() else b"")

    def where(self, *texts: str) -> list[str]:
        """Returns the places that hold one of these texts."""
        return [place for place, content in self.places.items() if any(text and text.encode() in content for text in texts)]


class _Handler(logging.Handler):
    """Keeps what a handler of the application would write, with tracebacks."""

    def __init__(self, left: Left) -> None:
        super().__init__(logging.DEBUG)
        self._left = left
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record) + repr(record.args)
        self._left.places[f"log {len(self._left.places)}"] = text.encode("utf-8", "surrogateescape")


@contextmanager
def leaving(folder: Path) -> Iterator[Left]:
    """Keeps what is left meanwhile; spans and metrics where OpenTelemetry's SDK is installed."""
    left = Left(folder)
    logger, handler = logging.getLogger("tokentrail"), _Handler(left)
    level = logger.level
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("opentelemetry.sdk") is not None:
            _keep_telemetry(left, patch)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            yield left
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
    left.read_files()


def _keep_telemetry(left: Left, patch: pytest.MonkeyPatch) -> None:
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - may be missing
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

    left.spans, left.metrics = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(left.spans))
    meters = MeterProvider([left.metrics], shutdown_on_exit=False)
    patch.setattr(trace, "get_tracer", lambda name, *_, **__: tracers.get_tracer(name))
    patch.setattr(metrics, "get_meter", lambda name, *_, **__: meters.get_meter(name))

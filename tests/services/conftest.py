"""The four services with all that they need, on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.services.local.parts import Parts
from tokentrail.local.collector import Built


@pytest.fixture
def parts(collector_binary: Path, tmp_path: Path) -> Iterator[Parts]:
    settings = {"TOKENTRAIL_SHIP_INTERVAL": "0.2", "TOKENTRAIL_ADOPT_INTERVAL": "1"}
    # OpenTelemetry's exporter drops spans by design: those of a restart of the Collector find room here
    settings |= {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_BSP_MAX_QUEUE_SIZE": "50000", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "60"}
    with Parts(tmp_path / "services", Built(collector_binary, ""), real=[], settings=settings) as running:
        yield running

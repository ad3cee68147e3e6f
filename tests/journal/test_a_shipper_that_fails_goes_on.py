"""An error in the shipper itself is logged and counted, and the next pass ships what waits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.journal import append, writer
from tests.support.otlp_receiver import Otlp
from tokentrail.journal.background import Background
from tokentrail.journal.progress import Progress
from tokentrail.journal.shipper import Shipper
from tokentrail.settings import Settings


def test_a_pass_that_fails_is_counted_and_the_next_one_ships(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch) -> None:
    real, passes = Shipper.ship_folder, list[Path]()

    def fails_at_first(shipper: Shipper, folder: Path, **options: Any) -> Progress:
        passes.append(folder)
        if len(passes) == 1:
            raise RuntimeError("a bug of ours")
        return real(shipper, folder, **options)

    monkeypatch.setattr(Shipper, "ship_folder", fails_at_first)
    logged: list[str] = []
    counted: Counter[str] = Counter()
    service = writer(root)
    numbers = append(service, 3)
    settings = Settings(endpoint=otlp.url, ship_interval=0.01, adopt_interval=30.0)
    background = Background(service, settings, logged.append, count_error=lambda where: counted.update([where]))
    background.start()
    try:
        assert background.flush(20)
    finally:
        background.stop(5)
    assert otlp.numbers(service.writer_id) == numbers
    assert counted == {"journal.shipper": 1}
    assert [sentence for sentence in logged if "a bug of ours" in sentence] == ["the shipper failed and goes on: RuntimeError: a bug of ours"]


def test_a_thread_that_ends_is_counted_and_records_stay(root: Path, otlp: Otlp, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_settings: Settings) -> None:
        raise RuntimeError("no client")

    monkeypatch.setattr("tokentrail.journal.exporter.exporter_for", fails)
    logged: list[str] = []
    counted: Counter[str] = Counter()
    service = writer(root)
    append(service, 3)
    background = Background(service, Settings(endpoint=otlp.url), logged.append, count_error=lambda where: counted.update([where]))
    background.start()
    background.stop(20)
    assert counted == {"journal.shipper": 1}
    assert any("no client; records stay in the journal" in sentence for sentence in logged)
    assert service.last_written == 3

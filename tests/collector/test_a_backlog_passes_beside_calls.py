"""The short form of `make torture ONLY=backlog`: some thousands of waiting events, the real Collector, a sidecar, and an application that ships itself."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from torture.experiments.backlog import one_round
from torture.stage import Stage

EVENTS = 3000


@pytest.mark.usefixtures("collector_binary")
def test_waiting_events_become_rows_once_while_applications_call(tmp_path: Path) -> None:
    with closing(Stage("backlog", tmp_path, seed=7, say=print)) as stage:
        one_round(stage, 1, EVENTS)
        stage.prove()
        assert stage.outcome.broken == []
        assert stage.outcome.rows == stage.outcome.calls > 60
        assert stage.store.number("SELECT uniqExact(writer_id, seq) FROM usage") == EVENTS + stage.outcome.calls
